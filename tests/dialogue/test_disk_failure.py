"""disk failure: a full or broken disk is named, reading goes on, nothing is half written."""

from disk import Disk
from documents import receipt, sale
from matching import same, true
from waiting import poll


def served(shop, files="journal"):
    """A daemon with one record, whose disk obeys."""
    disk = Disk(shop, files)
    daemon = shop.daemon(**disk.options())
    daemon.may_log_errors = True
    till = daemon.till("T01")
    till.put(receipt("first", ("A", 10), seq=0), ack="applied")
    till.expect(offset=0)
    return disk, daemon, till


def expect_reading_goes_on(daemon, state, records=1):
    till = daemon.till("T02")
    till.send(op="status")
    till.expect(journal={"state": state, "message": lambda text: len(text) > 0})
    same(len(till.fetch_all()), records, "records")
    till.send(op="stock", sku="A")
    till.expect(stock=[{"sku": "A"}])
    till.send(op="movements", sku="A")
    till.expect()


def lift_and_wait(disk, till):
    """There is room again; it is found within a moment, whether anybody writes or not."""
    disk.fail_write.lift()
    poll("writing to go on", lambda: till.ask(op="status")["journal"]["state"] == "ok")


def test_a_full_disk_is_named_and_writing_resumes_without_a_restart(shop):
    disk, daemon, till = served(shop)
    disk.fail_write.give()
    for seq in (1, 2, 3):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq), tag=seq)
        till.expect(error="JOURNAL_FULL", seq=seq, tag=seq)
    expect_reading_goes_on(daemon, "full")
    lift_and_wait(disk, till)
    for seq in (1, 2, 3):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq), ack="applied")
        till.expect(offset=seq, seq=seq, outcome="accepted")
    till.send(op="status")
    till.expect(journal={"state": "ok"})
    till.expect_stock(A="7")


def test_a_disk_that_fills_up_amid_a_write_leaves_nothing_half_written(shop):
    disk, daemon, till = served(shop)
    for attempt in range(5):
        disk.fail_write.give("HALF")
        till.put(sale("half", ("A", 1), seq=1))
        till.expect(error="JOURNAL_FULL")
        lift_and_wait(disk, till)
        till.send(op="produce", topic="t", value=attempt)
        till.expect(offset=attempt)
    till.put(sale("half", ("A", 1), seq=1))
    till.expect(offset=1)
    till.expect_stock(A="9")
    daemon.kill9()
    daemon.start()
    till = daemon.till("T01")
    same([record["value"]["id"] for record in till.fetch_all()], ["first", "half"], "ids")
    same([record["value"] for record in till.fetch_all("t")], list(range(5)), "values")


def test_a_full_disk_refuses_commits_produce_and_roll_by_name(shop):
    disk, daemon, till = served(shop)
    disk.fail_write.give()
    for request in ({"op": "produce", "topic": "new", "value": 1}, {"op": "roll"},
                    {"op": "commit", "group": "g", "topic": "stock", "partition": 0, "offset": 1}):
        till.send(request, tag=request["op"])
        till.expect(error="JOURNAL_FULL", tag=request["op"])
    expect_reading_goes_on(daemon, "full")
    lift_and_wait(disk, till)
    till.send(op="committed", group="g", topic="stock", partition=0)
    till.expect(offset=-1)
    till.send(op="produce", topic="new", value=1)
    till.expect(offset=0)
    till.send(op="roll")
    till.expect(segment=lambda number: number >= 1)


def test_on_a_full_disk_ack_none_is_not_silent(shop):
    disk, _, till = served(shop)
    disk.fail_write.give()
    till.put(sale("x", ("A", 1), seq=1), ack="none", tag="heard")
    till.expect(error="JOURNAL_FULL", tag="heard", seq=1)
    disk.fail_write.lift()


def test_on_a_full_disk_a_pipeline_fails_one_by_one_and_is_taken_later(shop):
    disk, _, till = served(shop)
    disk.fail_write.give()
    for seq in range(1, 101):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
    for seq in range(1, 101):
        till.expect(error="JOURNAL_FULL", seq=seq)
    lift_and_wait(disk, till)
    for seq in range(1, 101):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
    for seq in range(1, 101):
        till.expect(offset=seq, seq=seq)
    till.expect_stock(A="-90")


def test_a_failed_sync_is_final_until_a_restart(shop):
    disk, daemon, till = served(shop)
    disk.fail_sync.give()
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(error="JOURNAL_FAILED", seq=1)
    disk.fail_sync.lift()
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(error="JOURNAL_FAILED", seq=1)
    expect_reading_goes_on(daemon, "failed")
    daemon.kill9()
    daemon.start()
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(seq=1)
    same([record["value"]["id"] for record in till.fetch_all()], ["first", "x"], "ids")
    till.expect_stock(A="9")


def test_a_failed_write_is_final_until_a_restart(shop):
    disk, daemon, till = served(shop)
    disk.fail_write.give("EIO")
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(error="JOURNAL_FAILED")
    disk.fail_write.lift()
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(error="JOURNAL_FAILED")
    expect_reading_goes_on(daemon, "failed")
    daemon.restart()
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1), seq=1))
    till.expect(offset=1, seq=1)
    till.send(op="status")
    till.expect(journal={"state": "ok"})


def test_a_failed_sync_fails_all_who_share_the_commit(shop):
    disk, daemon, till = served(shop)
    tills = [daemon.till(f"T{number:02d}") for number in range(10, 30)]
    disk.fail_sync.give()
    for one in tills:
        one.put(sale("x", ("A", 1), seq=0))
    for one in tills:
        one.expect(error="JOURNAL_FAILED", seq=0)
    disk.fail_sync.lift()
    daemon.restart()
    for one in tills:
        again = daemon.till(one.name)
        again.put(sale("x", ("A", 1), seq=0))
        again.expect(seq=0)
    daemon.till().expect_stock(A="-10")


def test_a_full_stock_file_stops_the_figures_not_the_journal(shop):
    disk, daemon, till = served(shop, files="stock.db")
    disk.fail_write.give()
    for seq in (1, 2, 3):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq)
    poll("the applier to say so", lambda: till.ask(op="status")["applier"]["state"] == "full")
    same(till.on_hand("A"), {"A": "10"}, "stock while the disk is full")
    disk.fail_write.lift()
    till.expect_stock(A="7")
    till.send(op="status")
    till.expect(applier={"state": "ok"})


def test_a_broken_stock_file_is_told_and_the_journal_goes_on(shop):
    disk, daemon, till = served(shop, files="stock.db")
    disk.fail_write.give("EIO")
    for seq in (1, 2, 3):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq)
    poll("the applier to say so", lambda: till.ask(op="status")["applier"]["state"] != "ok")
    till.send(op="status")
    reply = till.expect(applier={"message": lambda text: len(text) > 0})
    true(reply["lag_records"] >= 1, f"lag_records: got {reply['lag_records']}")
    disk.fail_write.lift()
    daemon.restart()
    daemon.till().expect_stock(A="7")
