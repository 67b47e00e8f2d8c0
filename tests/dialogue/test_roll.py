"""roll: the journal in many segments is one journal."""

import glob
import os
import sqlite3
import stat

from documents import receipt, sale
from matching import same, true
from waiting import poll

SMALL = "[journal]\nsegment_bytes = 1 MiB\n"


def segments(daemon):
    return sorted(glob.glob(os.path.join(daemon.directory, "journal", "*.db")))


def roll(till):
    return till.ask(op="roll")["segment"]


def sealed(path):
    return not stat.S_IMODE(os.stat(path).st_mode) & 0o222 and not os.path.exists(path + "-wal")


def test_roll_says_the_number_of_the_new_segment(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    same([roll(till), roll(till)], [1, 2], "segments")
    same(len(segments(daemon)), 3, "files")
    till.send(op="status")
    till.expect(segments=3)


def test_the_command_line_rolls(shop):
    daemon = shop.daemon()
    result = shop.tillq("-s", daemon.address, "--json", "roll")
    same(result.stdout, lambda text: '"segment":1' in text, "tillq roll --json")
    same(len(segments(daemon)), 2, "files")


def test_fetch_reads_across_segments(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(50):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect(offset=number)
        if number % 7 == 3:
            roll(till)
    same([(record["offset"], record["value"]["id"]) for record in till.fetch_all()],
         [(number, f"x-{number}") for number in range(50)], "records")
    for offset in range(50):
        till.send(op="fetch", topic="stock", partition=0, offset=offset, max=1)
        till.expect(start=0, end=50, records=[{"offset": offset}])
    till.expect_stock(A="50")


def test_seq_and_group_offsets_hold_across_rolls_and_restarts(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in (0, 1, 5):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect()
        till.send(op="commit", group="g", topic="stock", partition=0, offset=number)
        till.expect(offset=number)
        roll(till)
    expect_all_known(till)
    daemon.restart()
    till = daemon.till("T01")
    expect_all_known(till)
    till.put(receipt("x-3", ("A", 1), seq=3))
    till.expect(offset=3)
    daemon.kill9()
    daemon.start()
    till = daemon.till("T01")
    till.put(receipt("x-3", ("A", 1), seq=3))
    till.expect(duplicate=True)
    till.expect_stock(A="4")


def expect_all_known(till):
    till.send(op="hello", terminal="T01")
    till.expect(last_seq=5)
    for number in (0, 1, 5):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect(duplicate=True)
    till.send(op="committed", group="g", topic="stock", partition=0)
    till.expect(offset=5)


def test_the_journal_rolls_by_itself_when_a_segment_is_full(shop):
    daemon = shop.daemon(config=SMALL)
    till = daemon.till()
    for number in range(60):
        till.send(op="produce", topic="t", value=[number, "x" * 100_000])
        till.expect(offset=number)
    poll("several segments", lambda: till.ask(op="status")["segments"] >= 4)
    same([record["value"][0] for record in till.fetch_all("t")], list(range(60)), "values")
    daemon.restart()
    till = daemon.till()
    same([record["value"][0] for record in till.fetch_all("t")], list(range(60)), "values")
    till.send(op="produce", topic="t", value=[60])
    till.expect(offset=60)


def test_sealed_segments_become_read_only_files(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(3):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect()
        roll(till)
    poll("the first three to be sealed", lambda: all(map(sealed, segments(daemon)[:3])))
    true(not sealed(segments(daemon)[3]), "the active segment is sealed")


def test_a_sealed_segment_never_changes_again(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("x-0", ("A", 1), seq=0))
    till.expect()
    roll(till)
    first = segments(daemon)[0]
    poll("the first to be sealed", lambda: sealed(first))
    with open(first, "rb") as file:
        before = file.read()
    for number in range(1, 20):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect()
        till.fetch_all()
    daemon.restart()
    daemon.till().fetch_all()
    with open(first, "rb") as file:
        true(file.read() == before, "a sealed segment has other bytes than before")


def test_a_roll_of_an_empty_journal_keeps_the_offsets(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for _ in range(5):
        roll(till)
    till.put(receipt("x", ("A", 1), seq=0))
    till.expect(offset=0)
    daemon.restart()
    till = daemon.till("T01")
    same(len(till.fetch_all()), 1, "records")
    till.put(receipt("y", ("A", 1), seq=1))
    till.expect(offset=1)


def test_a_roll_amid_a_pipeline_loses_and_doubles_nothing(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(500):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        if number % 50 == 25:
            till.send(op="roll")
    for number in range(500):
        till.expect(offset=number)
        if number % 50 == 25:
            till.expect(segment=number // 50 + 1)
    till.expect_stock(A="500")


def test_kills_around_rolls_lose_nothing(shop):
    daemon = shop.daemon()
    for number in range(8):
        till = daemon.till("T01")
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect(offset=number)
        till.send(op="roll")
        if number % 2:
            till.expect()
        daemon.kill9()
        daemon.start()
    till = daemon.till("T01")
    same([record["value"]["seq"] for record in till.fetch_all()], list(range(8)), "seqs")
    till.expect_stock(A="8")


def test_a_reader_that_follows_crosses_rolls(shop):
    daemon = shop.daemon()
    reader, till = daemon.till(), daemon.till("T01")
    for number in range(12):
        reader.send(op="fetch", topic="stock", partition=0, offset=number, wait_ms=60000)
        if number % 3 == 1:
            roll(till)
        till.put(sale(f"x-{number}", ("A", 1)))
        till.expect(offset=number)
        reader.expect(records=[{"offset": number}])


def test_plain_sqlite_shows_one_row_a_record(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.send_bytes(b"".join(b'{"op":"put","doc":{"type":"receipt","id":"x-%d","seq":%d,'
                             b'"lines":[{"sku":"A","qty":1}]}}\n' % (number, number)
                             for number in range(100)))
    for number in range(100):
        till.expect(offset=number)
    till.send(op="produce", topic="t", key="k", value="text", headers={"h": "1"})
    till.expect(offset=0)
    with sqlite3.connect(f"file:{segments(daemon)[0]}?mode=ro", uri=True) as database:
        rows = database.execute('SELECT partition, "offset", producer, seq, value FROM "stock" '
                                'ORDER BY "offset"').fetchall()
        true([row[:4] for row in rows] == [(0, n, "T01", n) for n in range(100)],
             f"rows of stock: got {rows[:3]}")
        true(all(f'"x-{n}"' in row[4] for n, row in enumerate(rows)), "ids in the values")
        rows = database.execute('SELECT "offset", key, headers, value FROM "t"').fetchall()
        true(rows == [(0, "k", '{"h":"1"}', "text")], f"rows of t: got {rows}")
