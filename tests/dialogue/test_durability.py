"""durability: no reply before the record is on disk; nobody else waits for that disk."""

import signal

from disk import Disk
from documents import receipt, sale
from matching import same, true
from waiting import poll


def held_put(shop, ack="journal"):
    """A daemon whose sync hangs on the put of this till."""
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    till = daemon.till("T01")
    disk.hold_sync.give()
    till.put(sale("x", ("A", 1), seq=0), ack=ack)
    disk.hold_sync.wait_held()
    return disk, daemon, till


def expect_silence(daemon, till):
    """Another till is answered, more than once, and this one is not."""
    other = daemon.till("T02")
    for _ in range(20):
        other.ask(op="status")
        other.ask(op="stock")
        other.ask(op="fetch", topic="stock", partition=0, offset=0)
    true(till.nothing_came(), "a reply came before the sync")
    return other


def test_no_reply_before_the_sync_and_another_till_is_answered(shop):
    disk, daemon, till = held_put(shop)
    expect_silence(daemon, till)
    disk.hold_sync.lift()
    till.expect(offset=0, seq=0)


def test_no_applied_reply_before_the_sync(shop):
    disk, daemon, till = held_put(shop, ack="applied")
    other = expect_silence(daemon, till)
    same(other.on_hand("A"), {}, "stock before the sync")
    disk.hold_sync.lift()
    till.expect(offset=0, outcome="accepted")


def test_a_produce_and_a_commit_wait_for_the_sync_too(shop):
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    for request, want in (({"op": "produce", "topic": "t", "value": 1}, {"offset": 0}),
                          ({"op": "commit", "group": "g", "topic": "t", "partition": 0,
                            "offset": 1}, {"offset": 1})):
        till = daemon.till()
        before = disk.hold_sync.held()
        disk.hold_sync.give()
        till.send(request)
        disk.hold_sync.wait_held(before)
        expect_silence(daemon, till)
        disk.hold_sync.lift()
        till.expect(**want)


def test_a_record_is_not_read_before_it_is_on_disk(shop):
    disk, daemon, till = held_put(shop)
    other = daemon.till()
    other.send(op="fetch", topic="stock", partition=0, offset=0)
    other.expect(records=[], end=0)
    other.send(op="hello", terminal="T01")
    other.expect(last_seq=-1)
    disk.hold_sync.lift()
    till.expect(offset=0)
    other.send(op="fetch", topic="stock", partition=0, offset=0)
    other.expect(records=[{"offset": 0}], end=1)


def test_killed_before_the_sync_it_is_absent_or_there_once_whole(shop):
    disk, daemon, till = held_put(shop)
    true(till.nothing_came(), "a reply came before the sync")
    daemon.kill9()
    disk.hold_sync.lift()
    daemon.start()
    till = daemon.till("T01")
    true(till.partition()["end"] <= 1, "more records than were sent")
    till.put(sale("x", ("A", 1), seq=0))
    till.expect(seq=0)
    same([record["value"]["id"] for record in till.fetch_all()], ["x"], "ids")
    till.expect_stock(A="-1")


def test_sent_twice_while_the_disk_hangs_it_is_there_once(shop):
    disk, daemon, till = held_put(shop)
    again = daemon.till("T01")
    again.put(sale("x", ("A", 1), seq=0))
    expect_silence(daemon, again)
    disk.hold_sync.lift()
    till.expect(offset=0)
    again.expect(offset=0, duplicate=True)
    again.expect_stock(A="-1")


def test_a_stop_while_the_disk_hangs_answers_what_was_taken(shop):
    disk, daemon, till = held_put(shop)
    others = [daemon.till(f"T{number:02d}") for number in range(10, 20)]
    for other in others:
        other.put(receipt("r", ("A", 1)))
    expect_silence(daemon, till)
    daemon.signal(signal.SIGTERM)
    disk.hold_sync.lift()
    till.expect(offset=0)
    till.expect_closed()
    answered = 1
    for other in others:
        line = other.reply_line()  # none where the daemon had not read it
        true(line is None or b'"ok":true' in line, f"got {line!r}")
        answered += line is not None
    same(daemon.exit_status(), 0, "exit status")
    daemon.start()
    same(daemon.till().partition()["end"], answered, "records journaled")


def test_replies_keep_their_order_while_a_read_could_go_ahead(shop):
    disk, daemon, till = held_put(shop)
    till.send(op="status", tag="read")
    till.send(b"no json")
    expect_silence(daemon, till)
    disk.hold_sync.lift()
    till.expect(offset=0)
    till.expect(tag="read")
    till.expect(error="BAD_JSON")


def test_sixty_four_tills_share_few_commits(shop):
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    tills = [daemon.till(f"T{number:02d}") for number in range(64)]
    witness = daemon.till()
    before = witness.ask(op="status")["journal"]
    rounds = 8
    for seq in range(rounds):
        held = disk.hold_sync.held()
        disk.hold_sync.give()
        for till in tills:
            till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
        disk.hold_sync.wait_held(held)
        for _ in range(20):
            witness.ask(op="status")
        disk.hold_sync.lift()
        for till in tills:
            till.expect(seq=seq)
    after = witness.ask(op="status")["journal"]
    records = after["records"] - before["records"]
    commits = after["commits"] - before["commits"]
    same(records, 64 * rounds, "records")
    true(commits * 8 <= records, f"commits: got {commits} for {records} records")
    witness.expect_stock(A=str(-64 * rounds))


def test_a_hanging_stock_file_does_not_hold_up_the_journal(shop):
    disk = Disk(shop, files="stock.db")
    daemon = shop.daemon(**disk.options())
    till = daemon.till("T01")
    disk.hold_sync.give()
    sent = 0
    while not disk.hold_sync.held():  # until a checkpoint of the stock file hangs
        for _ in range(100):
            till.put(receipt(f"x-{sent}", *[(f"sku-{sent}-{line}", 1) for line in range(9)],
                             ("A", 1), seq=sent))
            sent += 1
        for number in range(sent - 100, sent):
            till.expect(offset=number)
        poll("these to be applied or the checkpoint to hang",
             lambda: disk.hold_sync.held() or till.partition()["applied"] == sent)
    till.put(receipt("while it hangs", ("A", 1), seq=sent))
    till.expect(offset=sent)
    disk.hold_sync.lift()
    till.expect_stock(A=str(sent + 1))


def test_a_log_found_at_start_is_synced_before_anybody_is_told_of_it(shop):
    """After a kill it may lie in the kernel's memory alone, and a duplicate is a promise too."""
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1), seq=0))
    till.expect(offset=0)
    daemon.kill9()
    disk.hold_sync.give()
    daemon.launch()
    disk.hold_sync.wait_held()
    true(b"ready" not in daemon.said_so_far(), "ready before the sync")
    disk.hold_sync.lift()
    daemon.wait_ready()
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1), seq=0))
    till.expect(offset=0, duplicate=True)
    log = daemon.directory + "/journal/0000000000.db"
    with open(log, "rb") as file:
        true(b'"id":"x"' in file.read(), "the log was not moved into its file")
