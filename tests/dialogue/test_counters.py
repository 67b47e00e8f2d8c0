"""counters: what is refused, fails or is mended is counted in the status and told in the log, each
always with the same severity, as docs/protocol.md says; no line more than once a second."""

import collections
import json
import os
import re
import resource
import socket
import struct
import time

from disk import Disk
from documents import receipt, sale
from matching import ABSENT, same, true
from waiting import poll

PROTOCOL = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "protocol.md")
SEVERITIES = {"error": 3, "warning": 4, "notice": 5, "info": 6}
LINE = re.compile(r"^<(\d)>(\w+): (.*)$", re.MULTILINE)
KEPT_BACK = re.compile(r"(\d+) more like it since$")


def documented():
    """{counter: severity} of docs/protocol.md."""
    with open(PROTOCOL, encoding="utf-8") as file:
        section = file.read().partition("\n## Counters\n")[2].partition("\n## ")[0]
    found = {}
    for row in section.splitlines():
        cells = row.split("|")
        if len(cells) > 3 and cells[2].strip() in SEVERITIES:
            for name in re.findall(r"`(\w+)`", cells[1]):
                found[name] = SEVERITIES[cells[2].strip()]
    return found


def counters(till):
    return till.ask(op="status")["counters"]


def expect_counted(till, **wanted):
    """Waits until these counters are as wanted."""
    poll(f"the counters {wanted}", lambda: wanted.items() <= counters(till).items())


def expect_told(daemon, till):
    """The log and the counters tell the same: each counter above zero has lines, of the severity
    documented, and what they were and kept back adds up to it."""
    severity = documented()

    def told():
        lines = collections.Counter()
        for level, name, words in LINE.findall(daemon.log()):
            if name in severity:
                same(int(level), severity[name], f"the severity of {name}: {words}")
                kept_back = KEPT_BACK.search(words)
                alone = kept_back and kept_back.start() == 0
                lines[name] += (0 if alone else 1) + int(kept_back.group(1) if kept_back else 0)
        return lines

    poll("the log to have told of all that is counted", lambda: dict(told()) == counters(till))


def refuse(till, error, **request):
    till.send(**request)
    till.expect(error=error)


def test_a_quiet_daemon_has_counted_next_to_nothing(shop):
    till = shop.daemon().till("T01")
    till.put(sale("a", ("A", 1), seq=0), ack="applied")
    till.expect()
    same(counters(till), {"segment_begun": 1}, "counters")


def test_each_refusal_is_counted_under_its_code(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.send(b"{")
    till.expect(error="BAD_JSON")
    refuse(till, "BAD_REQUEST", op="dance")
    refuse(till, "UNKNOWN_TOPIC", op="fetch", topic="nowhere", offset=0)
    refuse(till, "UNKNOWN_PARTITION", op="fetch", topic="stock", partition=7, offset=0)
    refuse(till, "OFFSET_OUT_OF_RANGE", op="fetch", topic="stock", offset=99)
    for document in (sale("a", ("A", "x")), sale("a", ("A", "0.0001"))):
        till.put(document)
        till.expect(error="BAD_DOCUMENT")
    till.put(sale("a", ("A", 1), terminal="T02"))
    till.expect(error="TERMINAL_MISMATCH")
    for document, said in ((sale("a", ("A", 1), seq=0), ABSENT), (sale("a", ("A", 1), seq=0), ABSENT),
                           (sale("b", ("A", 1), seq=0), "SEQ_REUSED")):
        till.put(document, ack="applied")
        till.expect(warning=said)
    for number in range(256):
        till.send(op="produce", topic=f"t{number}", value=number)
        till.reply()
    wide = daemon.till()
    wide.send_bytes(b"x" * (1 << 20) + b"x\n")
    wide.expect(error="LINE_TOO_LONG")
    same(counters(till), {
        "BAD_JSON": 1, "BAD_REQUEST": 1, "UNKNOWN_TOPIC": 1, "UNKNOWN_PARTITION": 1,
        "OFFSET_OUT_OF_RANGE": 1, "BAD_DOCUMENT": 2, "TERMINAL_MISMATCH": 1, "seq_duplicate": 2,
        "seq_reused": 1, "TOO_MANY_TOPICS": 1, "LINE_TOO_LONG": 1, "segment_begun": 1}, "counters")
    expect_told(daemon, till)


def test_a_seq_too_old_and_a_record_too_large_are_counted(shop):
    daemon = shop.daemon(config="[limits]\nmax_line = 16 MiB\nmax_pending = 64 MiB\n")
    till = daemon.till("T01")
    for seq in range(0, 640, 2):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect()
    till.put(receipt("T01-1", ("A", 1), seq=1))
    till.expect(error="SEQ_TOO_OLD")
    refuse(till, "RECORD_TOO_LARGE", op="produce", topic="t", value="x" * (9 << 20))
    expect_counted(till, SEQ_TOO_OLD=1, RECORD_TOO_LARGE=1)
    expect_told(daemon, till)


def test_connections_turned_away_idle_and_broken_are_counted(shop):
    daemon = shop.daemon(config="[limits]\nmax_connections = 3\nidle_timeout_s = 2\n")
    tills = [daemon.till("T01"), daemon.till(), daemon.till()]
    for till in tills:
        till.ask(op="status")
    outside = daemon.till()
    outside.expect(error="TOO_MANY_CONNECTIONS")
    broken = tills.pop()
    broken.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    broken.close()  # with a reset
    idle = tills.pop()
    # Asking keeps the first one awake.
    poll("the idle one to be closed", lambda: counters(tills[0]).get("IDLE_TIMEOUT"))
    idle.expect(error="IDLE_TIMEOUT")
    expect_counted(tills[0], TOO_MANY_CONNECTIONS=1, IDLE_TIMEOUT=1, connection_broken=1)
    expect_told(daemon, tills[0])


def test_an_accept_without_descriptors_is_counted_and_tried_again(shop):
    daemon = shop.daemon()
    till = daemon.till()
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    waiting = daemon.till()
    daemon.expect_log("<4>accept_failed: ")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
    true(waiting.ask(op="status")["counters"]["accept_failed"] >= 1, "accept_failed is not counted")
    expect_told(daemon, till)


def test_who_takes_no_replies_is_counted(shop):
    daemon = shop.daemon(config="[limits]\nidle_timeout_s = 1\nmax_reply = 64 KiB\n")
    till = daemon.till()
    till.send(op="produce", topic="large", value="x" * 1_000_000)
    till.expect()
    deaf = daemon.till()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(20):
        deaf.send(op="fetch", topic="large", offset=0)
    expect_counted(till, replies_not_taken=1)
    expect_told(daemon, till)


def test_a_flood_of_garbage_writes_a_line_a_second(shop):
    daemon = shop.daemon()
    began = time.monotonic()
    for _ in range(4):
        flood = daemon.till()
        flood.send_bytes(b"garbage\n" * 10_000)
        for _ in range(10_000):
            flood.expect(error="BAD_JSON")
    till = daemon.till()
    same(counters(till)["BAD_JSON"], 40_000, "BAD_JSON")
    expect_told(daemon, till)
    took_s = time.monotonic() - began
    lines = daemon.log().count(">BAD_JSON: ")
    true(lines <= took_s + 1, f"lines about BAD_JSON: got {lines} in {took_s:.1f} s, want one a second")


def test_a_terminal_cannot_write_lines_of_its_own_nor_its_document(shop):
    daemon = shop.daemon()
    till = daemon.till()
    secret = "operator-4711-secret"
    till.put(sale("a", ("A", secret), operator=secret, terminal="T01"))
    till.expect(error="BAD_DOCUMENT")
    till.send(json.dumps({"op": secret}).encode())
    till.expect(error="BAD_REQUEST")
    till.send(b'{"op":"' + secret.encode() + b'"\x01}')
    till.expect(error="BAD_JSON")
    till.send(op="hello", terminal="T01\n<3>commit_disk: forged", token=secret)
    till.expect(error="BAD_REQUEST")
    expect_counted(till, BAD_JSON=1)
    true(secret not in daemon.log(), f"the log holds what a document said:\n{daemon.log()}")
    true("forged" not in daemon.log(), f"the log holds a forged line:\n{daemon.log()}")


def test_a_full_disk_and_its_end_are_counted(shop):
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    daemon.may_log_errors = True
    till = daemon.till("T01")
    disk.fail_write.give()
    for seq in range(50):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
        till.expect(error="JOURNAL_FULL")
    refuse(till, "JOURNAL_FULL", op="roll")
    till.send(op="status")
    till.expect(counters={"JOURNAL_FULL": 51, "commit_full": lambda count: count >= 1,
                          "disk_full": lambda count: count >= 1})
    disk.fail_write.lift()
    poll("writing to be resumed", lambda: till.ask(op="status")["journal"]["state"] == "ok")
    true(counters(till).get("journal_resumed", 0) >= 1, "journal_resumed is not counted")
    till.put(sale("x-0", ("A", 1), seq=0))
    till.expect()
    expect_told(daemon, till)


def test_a_failed_disk_is_counted_once_and_each_refusal_after_it(shop):
    disk = Disk(shop)
    daemon = shop.daemon(**disk.options())
    daemon.may_log_errors = True
    till = daemon.till("T01")
    disk.fail_sync.give()
    for seq in range(3):
        till.put(sale(f"x-{seq}", ("A", 1), seq=seq))
        till.expect(error="JOURNAL_FAILED")
    expect_counted(till, commit_disk=1, JOURNAL_FAILED=3)
    expect_told(daemon, till)
    disk.fail_sync.lift()


def test_the_applier_standing_and_going_on_is_counted(shop):
    disk = Disk(shop, files="stock.db")
    daemon = shop.daemon(**disk.options())
    daemon.may_log_errors = True
    till = daemon.till("T01")
    disk.fail_write.give()
    till.put(sale("x", ("A", 1), seq=0), ack="applied")
    till.expect(error="APPLIER_FAILED")
    expect_counted(till, applier_full=1, APPLIER_FAILED=1)
    disk.fail_write.lift()
    till.expect_stock(A="-1")
    expect_counted(till, applier_resumed=1)
    expect_told(daemon, till)


def test_what_a_start_mends_is_counted(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("a", ("A", 1), seq=0), ack="applied")
    till.expect()
    daemon.kill9()
    for suffix in ("", "-wal"):
        path = os.path.join(daemon.directory, "stock.db" + suffix)
        if os.path.exists(path):
            with open(path, "wb") as file:
                file.write(b"this is no database" * 1000)
    daemon.may_log_errors = True
    before = daemon.log()
    daemon.start()
    till = daemon.till()
    till.expect_stock(A="1")
    expect_counted(till, log_recovered=1, stock_set_aside=1, stock_rebuilt=1)
    after = daemon.log()[len(before):]
    for name in ("log_recovered", "stock_set_aside", "stock_rebuilt"):
        true(f"{name}: " in after, f"got {after!r}, want a line about {name}")


def test_documents_rejected_and_in_conflict_are_counted_once_each(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for document, outcome in ((receipt("a", ("A", 1)), "accepted"), (receipt("a", ("A", 2)), "conflict"),
                              (receipt("a", ("A", 1)), "duplicate"),
                              (sale("b", ("A", 9), check="hard"), "rejected"),
                              (sale("c", ("A", 9), check="hard"), "rejected")):
        till.put(document, ack="applied")
        till.expect(outcome=outcome)
    expect_counted(till, document_rejected=2, document_conflict=1)
    same(daemon.log().count("<4>document_conflict: 1 of the offsets 1 to 1"), 1, "lines of log")
    daemon.restart()
    same(counters(daemon.till()), {}, "counters of a daemon that decided nothing")


def test_rolls_and_seals_are_counted(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(30):
        till.send(op="roll")
        till.expect(segment=number + 1)
    expect_counted(till, segment_begun=31, segment_sealed=30)
    expect_told(daemon, till)


def test_a_configuration_not_taken_is_counted(shop):
    daemon = shop.daemon(config="[limits]\nmax_connections = 10\n")
    daemon.may_log_errors = True
    daemon.reload("[limits]\nmax_connections = many\n")
    till = daemon.till()
    expect_counted(till, reload_failed=1)
    expect_told(daemon, till)


def test_the_last_line_tells_what_was_counted(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for _ in range(1000):
        till.send(b"{")
        till.expect(error="BAD_JSON")
    counted = counters(till)
    same(daemon.stop(), 0, "exit status")
    last = daemon.log().splitlines()[-1]
    same(json.loads(last.partition("counted ")[2]), counted, f"the counters in {last!r}")


def test_tillq_status_lists_the_counters(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for _ in range(3):
        till.send(b"{")
        till.expect(error="BAD_JSON")
    status = json.loads(shop.tillq("-s", daemon.address, "--json", "status").stdout)
    same(status["counters"], {"BAD_JSON": 3, "segment_begun": 1}, "counters")
    printed = shop.tillq("-s", daemon.address, "status").stdout
    true(re.search(r"^BAD_JSON +3 +\w", printed, re.MULTILINE), f"got:\n{printed}")
    offline = json.loads(shop.tillq("-d", daemon.directory, "--json", "status").stdout)
    true("counters" not in offline, f"got counters without a daemon: {offline}")
