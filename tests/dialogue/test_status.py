"""status: every number is measured, not remembered."""

import os

from documents import receipt, sale
from matching import ABSENT, same, true
from waiting import poll


def test_status_of_an_empty_shop(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send(op="status")
    till.expect(
        version=lambda version: version[0].isdigit(), protocol=1,
        sqlite=lambda version: version.startswith("3."), pid=daemon.process.pid,
        uptime_ms=lambda ms: isinstance(ms, int) and ms >= 0,
        directory=lambda path: os.path.samefile(path, daemon.directory), connections=1,
        partitions=[{"topic": "stock", "partition": 0, "start": 0, "end": 0, "applied": 0}],
        outcomes={"accepted": 0, "rejected": 0, "duplicate": 0, "conflict": 0}, dead=0,
        lag_records=0, lag_ms=0, segments=1, journal_bytes=positive, stock_bytes=positive,
        journal={"state": "ok", "commits": natural, "records": 0}, applier={"state": "ok"})


def positive(number):
    return isinstance(number, int) and number > 0


def natural(number):
    return isinstance(number, int) and number >= 0


def test_start_end_and_applied_follow_the_puts(shop):
    till = shop.daemon().till("T01")
    for number in range(5):
        till.put(sale(f"T01-{number}", ("A", 1)), ack="applied")
        till.expect()
        till.send(op="status")
        till.expect(partitions=[{"topic": "stock", "start": 0, "end": number + 1,
                                 "applied": number + 1}], lag_records=0,
                    outcomes={"accepted": number + 1}, journal={"records": number + 1})


def test_other_topics_have_no_applied(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="t", value=1)
    till.expect()
    till.send(op="status")
    reply = till.expect()
    [entry] = [entry for entry in reply["partitions"] if entry["topic"] == "t"]
    same(entry, {"partition": 0, "start": 0, "end": 1, "applied": ABSENT}, "partition")


def test_connections_are_counted(shop):
    daemon = shop.daemon()
    till = daemon.till()
    others = [daemon.till("T01") for _ in range(7)]
    till.send(op="status")
    till.expect(connections=8)
    for other in others:
        other.close()
    poll("the seven to be gone", lambda: till.ask(op="status")["connections"] == 1)


def test_outcomes_and_dead_outlive_a_restart(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for document in (sale("a", ("A", 1)), sale("a", ("A", 1)), sale("a", ("A", 2)),
                     sale("b", ("A", 9), check="hard")):
        till.put(document, ack="applied")
        till.expect()
    daemon.restart()
    till = daemon.till()
    till.send(op="status")
    till.expect(outcomes={"accepted": 1, "duplicate": 1, "conflict": 1, "rejected": 1}, dead=2)


def test_journal_bytes_grow_with_the_journal(shop):
    till = shop.daemon().till("T01")
    before = till.ask(op="status")["journal_bytes"]
    for number in range(20):
        till.send(op="produce", topic="t", value="x" * 50_000)
        till.expect(offset=number)
    after = till.ask(op="status")["journal_bytes"]
    true(after - before >= 900_000, f"journal_bytes: got {before} then {after}, want 1 MB more")


def test_lag_is_told_while_the_applier_is_behind(shop):
    till = shop.daemon().till("T01")
    for number in range(2000):
        till.put(receipt(f"T01-{number}", ("A", 1), ("B", 1), ("C", 1)))
    for _ in range(2000):
        till.expect()
    reply = till.ask(op="status")
    [entry] = reply["partitions"]
    same(reply["lag_records"], entry["end"] - entry["applied"], "lag_records")
    same(reply["lag_ms"], natural, "lag_ms")
    till.settle()
    till.send(op="status")
    till.expect(lag_records=0, lag_ms=0)


def test_every_status_is_fresh(shop):
    daemon = shop.daemon()
    till = daemon.till()
    first = till.ask(op="status")["uptime_ms"]
    poll("uptime to grow", lambda: till.ask(op="status")["uptime_ms"] > first)
