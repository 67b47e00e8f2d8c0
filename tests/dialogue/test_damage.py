"""damage: files spoiled between a stop and a start: what is whole goes on, what is lost is told in
offsets, and sales are taken all the same."""

import glob
import os

from documents import receipt, sale
from matching import same, true
from waiting import poll

MILLION = 1_000_000


def segment(daemon, number, ending=""):
    return os.path.join(daemon.directory, "journal", f"{number:010}.db{ending}")


def put(till, first, count, sku="A", **fields):
    for seq in range(first, first + count):
        till.put(receipt(f"r-{seq}", (sku, 1), seq=seq, **fields), ack="applied")
        till.expect(offset=seq, outcome="accepted")


def flip(path, words):
    """Changes one bit of the last place that says `words`."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    place = content.rfind(words)
    true(place >= 0, f"{path}: no {words!r} in it")
    content[place] ^= 1
    os.chmod(path, 0o640)
    with open(path, "wb") as file:
        file.write(content)
    return bytes(content)


def test_a_flipped_bit_costs_one_commit_and_is_told_everywhere(shop):
    daemon = shop.daemon()
    daemon.may_log_errors = True
    put(daemon.till("T01"), 0, 10)
    daemon.stop()
    damaged = flip(segment(daemon, 0), b'"id":"r-6"')
    daemon.start()
    till = daemon.till("T01")
    status = till.ask(op="status")
    same([{key: hole[key] for key in ("topic", "partition", "first", "last", "file")}
          for hole in status["lost"]],
         [{"topic": "stock", "partition": 0, "first": 6, "last": 6,
           "file": "0000000000.db.damaged-1"}], "lost")
    true("journal/0000000000.db.damaged-1" in status["aside"], f"aside: {status['aside']}")
    daemon.expect_log("offsets_lost: 6 to 6 of stock-0")
    with open(segment(daemon, 0, ".damaged-1"), "rb") as file:
        same(file.read() == damaged, True, "what was set aside is untouched")
    # The figures are those of what is there: the lost receipt is not counted.
    till.expect_stock(A="9")
    same([record["offset"] for record in till.fetch_all()], [0, 1, 2, 3, 4, 5, 7, 8, 9], "offsets")
    # A terminal that still has it may send it again, and it counts once.
    for _ in range(2):
        till.put(receipt("r-6", ("A", 1), seq=6), ack="applied")
        till.expect(offset=10)
    till.expect_stock(A="10")
    verified = shop.tillq("-s", daemon.address, "verify", "--json").stdout
    true('"sound":true' in verified and '"lost":1' in verified, f"got {verified}")


def test_readers_step_over_a_hole(shop):
    daemon = shop.daemon()
    daemon.may_log_errors = True
    put(daemon.till("T01"), 0, 5)
    daemon.stop()
    with open(segment(daemon, 0), "r+b") as file:
        file.write(b"this is no database" * 300)
    daemon.start()
    till = daemon.till("T01")
    end = till.partition()["end"]
    true(end >= MILLION and end % MILLION == 0, f"end: got {end}")
    till.send(op="fetch", topic="stock", partition=0, offset=0)
    till.expect(records=[], start=0, end=end, next=end)
    poll("the figures to step over it", lambda: till.partition()["applied"] == end)
    same(till.ask(op="status")["lag_records"], 0, "lag")
    # Who waits for a record at the hole is woken by the first behind it.
    waiting = daemon.till()
    waiting.send(op="fetch", topic="stock", partition=0, offset=0, wait_ms=20000)
    till.put(receipt("again", ("A", 7), seq=0), ack="applied")
    till.expect(offset=end, outcome="accepted")
    waiting.expect(records=[{"offset": end}], end=end + 1)
    till.expect_stock(A="7")
    told = shop.tillq("-s", daemon.address, "tail", "--from", "0")
    true(f"offsets 0 to {end - 1} of stock/0 are lost" in told.stderr, f"got {told.stderr!r}")
    true("again" in told.stdout, f"got {told.stdout!r}")


def test_the_last_commit_is_missed_although_the_log_looks_like_after_a_crash(shop):
    daemon = shop.daemon()
    daemon.may_log_errors = True
    put(daemon.till("T01"), 0, 5)
    daemon.kill9()
    flip(segment(daemon, 0, "-wal"), b'"id":"r-4"')
    daemon.start()
    till = daemon.till("T01")
    same([(hole["first"], hole["last"]) for hole in till.ask(op="status")["lost"]], [(4, 4)], "lost")
    till.expect_stock(A="4")
    till.put(receipt("r-4", ("A", 1), seq=4), ack="applied")
    till.expect(offset=5, outcome="accepted")


def test_a_bit_in_the_first_bytes_of_a_young_log_loses_nothing_in_silence(shop):
    places = (17, 32 + 3 * 4120 + 100)  # the header; a frame of the transaction that made the tables
    for number, place in enumerate(places):
        daemon = shop.daemon(f"data{number}")
        daemon.may_log_errors = True
        put(daemon.till("T01"), 0, 3)
        daemon.kill9()
        with open(segment(daemon, 0, "-wal"), "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 4]))
        daemon.start()
        till = daemon.till("T01")
        end = till.partition()["end"]
        lost = till.ask(op="status")["lost"]
        true(end >= MILLION and lost and lost[0]["first"] <= 2 <= lost[-1]["last"],
             f"byte {place}: end {end}, lost {lost}")
        daemon.expect_log("offsets_lost")
        till.put(receipt("new", ("A", 1), seq=3), ack="applied")
        till.expect(offset=end)


def test_a_newest_segment_that_is_gone_is_gone_on_without(shop):
    for number, damage in enumerate((os.unlink, lambda path: os.truncate(path, 0))):
        daemon = shop.daemon(f"data{number}")
        daemon.may_log_errors = True
        till = daemon.till("T01")
        put(till, 0, 3)
        till.ask(op="roll")
        poll("segment 0 to be sealed", lambda: not os.stat(segment(daemon, 0)).st_mode & 0o200)
        put(till, 3, 3)
        daemon.stop()
        damage(segment(daemon, 1))
        daemon.start()
        till = daemon.till("T01")
        end = till.partition()["end"]
        true(end >= MILLION, f"end: got {end}")
        told = shop.tillq("-s", daemon.address, "status").stdout
        true(f"offsets 3 to {end - 1} of stock-0" in told, f"status: got {told!r}")
        till.expect_stock(A="3")
        same(till.ask(op="hello", terminal="T01")["last_seq"], 2, "last_seq")
        till.put(receipt("r-3", ("A", 1), seq=3), ack="applied")
        till.expect(offset=end)


def test_a_damaged_sealed_segment_is_named_and_the_rest_goes_on(shop):
    shop.leave_unverified()
    daemon = shop.daemon()
    daemon.may_log_errors = True
    till = daemon.till("T01")
    for number in range(3):
        put(till, 4 * number, 4)
        till.ask(op="roll")
        poll("it to be sealed", lambda: not os.stat(segment(daemon, number)).st_mode & 0o200)
    put(till, 12, 4)
    daemon.stop()
    os.chmod(segment(daemon, 1), 0o640)
    with open(segment(daemon, 1), "r+b") as file:
        file.write(b"this is no database" * 300)
    spoiled = open(segment(daemon, 1), "rb").read()
    daemon.start()
    till = daemon.till("T01")
    till.expect_stock(A="16")
    same([{key: one[key] for key in ("segment", "first", "last")}
          for one in till.ask(op="status")["damaged"]], [{"segment": 1, "first": 4, "last": 7}],
         "damaged")
    told = shop.tillq("-s", daemon.address, "status").stdout
    true("damaged " in told and "0000000001.db" in told, f"status: got {told!r}")
    for offset, there in ((0, True), (3, True), (4, False), (7, False), (8, True), (12, True)):
        till.send(op="fetch", topic="stock", partition=0, offset=offset, max=1)
        if there:
            till.expect(records=[{"offset": offset}])
        else:
            reply = till.expect(error="DAMAGED")
            true(f"offsets {offset} to 7 of stock-0" in reply["message"], f"got {reply}")
    put(till, 16, 2)
    till.expect_stock(A="18")
    same(open(segment(daemon, 1), "rb").read() == spoiled, True, "it is left alone")


def test_a_crash_sets_nothing_aside(shop):
    daemon = shop.daemon()
    seq = 0
    for _ in range(6):
        till = daemon.till("T01")
        for _ in range(30):
            till.put(sale(f"s-{seq}", ("A", 1), seq=seq))
            seq += 1
        till.reply()
        daemon.kill9()
        daemon.start()
    till = daemon.till("T01")
    same(till.ask(op="status")["aside"], [], "aside")
    same(till.ask(op="status")["lost"], [], "lost")


def journal_documents(till, first, count, sku=lambda seq: "A"):
    """Puts `count` documents, many at a time."""
    for start in range(first, first + count, 500):
        seqs = range(start, min(start + 500, first + count))
        for seq in seqs:
            till.put(receipt(f"r-{seq}", (sku(seq), 1), seq=seq))
        for seq in seqs:
            till.expect(offset=seq)


def test_sales_are_taken_while_the_stock_file_is_made_anew(shop):
    # A transaction a document: it lasts long enough to be seen.
    daemon = shop.daemon(config="[stock]\napply_documents = 1\n")
    daemon.may_log_errors = True
    journal_documents(daemon.till("T01"), 0, 30000)
    daemon.kill9()
    with open(os.path.join(daemon.directory, "stock.db"), "r+b") as file:
        file.write(b"this is no database" * 300)
    daemon.start()
    till = daemon.till("T01")
    status = till.ask(op="status")
    same(status["applier"]["state"], "rebuilding", "applier")
    true(status["lag_records"] > 0, f"lag: got {status['lag_records']}")
    till.put(sale("new", ("A", 1), seq=30000))
    till.expect(offset=30000)
    till.put(sale("waits", ("A", 1), seq=30001), ack="applied")
    till.expect(error="APPLIER_BEHIND", offset=30001)
    till.put(receipt("r-29999", ("A", 1), seq=29999))
    till.expect(error="APPLIER_BEHIND")
    till.expect_stock(A="29998")
    same(till.ask(op="status")["applier"]["state"], "ok", "applier")
    till.put(receipt("r-29999", ("A", 1), seq=29999))
    till.expect(duplicate=True, offset=29999)
    till.put(sale("waits", ("A", 1), seq=30001), ack="applied")
    till.expect(duplicate=True, offset=30001, outcome="accepted")


def test_a_stock_file_damaged_while_it_is_worked_on_is_made_anew(shop):
    daemon = shop.daemon(config="[stock]\nstock_cache = 256 KiB\n")
    daemon.may_log_errors = True
    till, reader = daemon.till("T01"), daemon.till()
    journal_documents(till, 0, 5000, sku=lambda seq: f"S{seq}")
    reader.expect_stock(S4999="1")
    daemon.restart()
    till, reader = daemon.till("T01"), daemon.till()
    reader.expect_stock(S1="1")
    path = os.path.join(daemon.directory, "stock.db")
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    journal_documents(till, 5000, 500, sku=lambda seq: f"S{seq * 7 % 5000}")
    poll("the stock to be made anew", lambda: glob.glob(path + ".aside-*"))
    for one in (till, reader):
        one.expect_stock(S5="1" if 5 not in {seq * 7 % 5000 for seq in range(5000, 5500)} else "2")
    poll("it to be done", lambda: till.ask(op="status")["applier"]["state"] == "ok")
    same(till.ask(op="status")["outcomes"]["accepted"], 5500, "accepted")
