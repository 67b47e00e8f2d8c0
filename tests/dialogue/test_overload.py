"""overload: memory and connections are bounded whatever clients do, and the others are served."""

import os
import resource
import select
import socket

from disk import Disk
from documents import receipt, sale
from matching import same, true
from waiting import Skip, poll

MIB = 1 << 20
GREED_BYTES = 256 * MIB  # what a greedy till would like to be read from it
BLOCKED_S = 1.0  # not writable for so long while others were served: the daemon reads it no more


def greedy(daemon, till, request):
    """Sends without reading until the daemon stops reading; how many whole requests went out."""
    witness = daemon.till("T99")
    till.socket.setblocking(False)
    block = request * (65536 // len(request) + 1)
    sent = 0
    while sent < GREED_BYTES:
        _, writable, _ = select.select([], [till.socket], [], BLOCKED_S)
        witness.ask(op="status")
        if not writable:
            return sent
        place = sent % len(request)
        sent += till.socket.send(block[place:place + 65536 - len(request)])
    true(False, f"{GREED_BYTES} bytes were read from a till that never reads a reply")
    return sent


def expect_bounded(shop, daemon, request, limit_bytes, prepare=None):
    till = daemon.till("T01")
    if prepare:
        prepare(till)
    before = daemon.resident_bytes()
    sent = greedy(daemon, till, request)
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < limit_bytes, f"memory: grew by {grown} bytes, want below {limit_bytes}")
    other = daemon.till("T02")
    other.put(receipt("other", ("O", 1)), ack="applied")
    other.expect(outcome="accepted")
    return till, sent


def test_a_till_that_never_reads_its_small_replies(shop):
    request = b'{"op":"produce","topic":"t","value":1}\n'
    till, sent = expect_bounded(shop, shop.daemon(), request, 48 * MIB)
    till.socket.setblocking(True)
    for offset in range(sent // len(request)):
        till.expect(offset=offset)


def test_a_till_that_never_reads_its_large_replies(shop):
    def fill(till):
        for number in range(4):
            till.put(receipt(f"fill-{number}", *[(f"sku-{number}-{line}", 1)
                                                 for line in range(1000)]), ack="applied")
            till.expect(outcome="accepted")
    request = b'{"op":"stock"}\n'
    till, sent = expect_bounded(shop, shop.daemon(), request, 48 * MIB, fill)
    true(sent >= len(request), "nothing was sent")
    till.socket.setblocking(True)
    for _ in range(10):
        same(len(till.expect()["stock"]), 1000, "rows")


def test_a_till_that_asks_for_a_thousand_mib_and_never_reads(shop):
    def fill(till):
        for number in range(2):
            till.send(op="produce", topic="big", value="x" * 900_000)
            till.expect(offset=number)
    request = b'{"op":"fetch","topic":"big","partition":0,"offset":0,"max":1}\n'
    till, _ = expect_bounded(shop, shop.daemon(), request, 48 * MIB, fill)
    till.socket.setblocking(True)
    for _ in range(10):
        till.expect(records=[{"offset": 0}])


def test_fifty_tills_that_never_read(shop):
    daemon = shop.daemon(config="[limits]\nmax_reply = 256 KiB\nmax_in_flight = 64\n")
    before = daemon.resident_bytes()
    tills = [daemon.till(f"T{number:02d}") for number in range(50)]
    for till in tills:
        till.socket.setblocking(False)
        block = b'{"op":"status"}\n' * 10_000
        while select.select([], [till.socket], [], 0)[1]:
            till.socket.send(block)
    witness = daemon.till("T99")
    for _ in range(20):
        witness.ask(op="status")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 64 * MIB, f"memory: grew by {grown} bytes")


def deaf_crowd(daemon, number):
    """Connections that asked for a MiB ten times and will not read it."""
    first = daemon.till("first")
    first.send(op="produce", topic="big", value="x" * 900_000)
    first.expect(offset=0)
    crowd = [daemon.till() for _ in range(number)]
    for till in crowd:
        till.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(10):  # the kernel takes a few MiB off the daemon's hands
            till.send(op="fetch", topic="big", partition=0, offset=0, max=1)
    return first, crowd


def test_large_replies_nobody_reads_are_bounded_over_all_connections(shop):
    daemon = shop.daemon(config="[limits]\nmax_pending = 8 MiB\n")
    before = daemon.resident_bytes()
    first, _ = deaf_crowd(daemon, 200)
    for number in range(200):
        first.put(receipt(f"x-{number}", ("A", 1), seq=number), ack="applied")
        first.expect(outcome="accepted")
        first.ask(op="stock", sku="A")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 40 * MIB, f"memory: grew by {grown} bytes")


def test_who_takes_nothing_makes_room_for_those_who_wait_to_read(shop):
    daemon = shop.daemon(config="[limits]\nmax_pending = 1 MiB\n")
    first, _ = deaf_crowd(daemon, 4)
    first.send(op="fetch", topic="big", partition=0, offset=0, max=1)
    first.expect(records=[{"offset": 0}])
    daemon.expect_log("took nothing of its replies while others waited")


def test_thousands_of_refusals_are_all_told_in_order_and_others_are_served(shop):
    daemon = shop.daemon()
    till, other = daemon.till("T01"), daemon.till("T02")
    for number in range(1500):
        till.send(op="nonsense", tag=number)
    till.put(receipt("x", ("A", 1), seq=0))
    for number in range(100):
        other.put(receipt(f"y-{number}", ("A", 1), seq=number))
        other.expect(offset=number)
    for number in range(1500):
        till.expect(error="BAD_REQUEST", tag=number)
    till.expect(offset=100)


def test_lines_of_1_mib_from_twenty_tills_are_bounded(shop):
    daemon = shop.daemon()
    before = daemon.resident_bytes()
    tills = [daemon.till(f"T{number:02d}") for number in range(20)]
    for till in tills:
        till.send_bytes(b'{"op":"produce","topic":"t","value":"' + b"x" * (MIB - 100))
    witness = daemon.till("T99")
    for _ in range(20):
        witness.ask(op="status")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 64 * MIB, f"memory: grew by {grown} bytes")
    for till in tills:
        till.send_bytes(b'"}\n')
    same(sorted(till.expect()["offset"] for till in tills), list(range(20)), "offsets")


def test_a_hanging_disk_does_not_pile_up_memory(shop):
    disk = Disk(shop)
    daemon = shop.daemon(config="[limits]\nmax_pending = 8 MiB\n", **disk.options())
    tills = [daemon.till(f"T{number:02d}") for number in range(8)]
    before = daemon.resident_bytes()
    line = b'{"op":"produce","topic":"t","value":"' + b"x" * 10_000 + b'"}\n'
    disk.hold_sync.give()
    tills[0].send_bytes(line)
    disk.hold_sync.wait_held()
    for till in tills:
        till.socket.setblocking(False)
    sent = send_while_anybody_is_read(tills, line * 10, len(line))
    grown = daemon.resident_bytes() - before
    disk.hold_sync.lift()
    if not shop.sanitized():
        true(grown < 48 * MIB, f"memory: grew by {grown} bytes")
    sent[0] += 1
    for till, count in zip(tills, sent):
        till.socket.setblocking(True)
        for _ in range(count):
            till.expect()


def send_while_anybody_is_read(tills, block, line_bytes):
    """Sends until nobody's bytes are taken any more; the whole lines each till has sent."""
    sent = [0] * len(tills)
    while sum(sent) < GREED_BYTES:
        _, writable, _ = select.select([], [till.socket for till in tills], [], BLOCKED_S)
        if not writable:
            return [count // line_bytes for count in sent]
        for place, till in enumerate(tills):
            if till.socket in writable:
                sent[place] += till.socket.send(block[sent[place] % line_bytes:])
    true(False, f"{GREED_BYTES} bytes were read while the disk hung")
    return sent


def test_memory_is_given_back_after_a_rush(shop):
    daemon = shop.daemon()
    if shop.sanitized():
        raise Skip("a sanitizer keeps freed memory")
    before = daemon.resident_bytes()
    for till in [daemon.till() for _ in range(10)]:
        for _ in range(3):
            till.send(op="produce", topic="t", value="x" * (MIB - 100))
        for _ in range(3):
            till.expect()
        till.close()
    witness = daemon.till()
    poll("the rush to be gone", lambda: witness.ask(op="status")["connections"] == 1)
    grown = daemon.resident_bytes() - before
    true(grown < 32 * MIB, f"memory: {grown} bytes more than before the rush")


def test_in_flight_1_still_answers_a_pipeline_in_order(shop):
    till = shop.daemon(config="[limits]\nmax_in_flight = 1\n").till("T01")
    for number in range(300):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number), tag=number,
                 ack=("journal", "applied")[number % 2])
    for number in range(300):
        till.expect(offset=number, tag=number)
    till.expect_stock(A="300")


def test_in_flight_1_and_silent_puts(shop):
    till = shop.daemon(config="[limits]\nmax_in_flight = 1\n").till("T01")
    for number in range(300):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number), ack="none")
    till.put(receipt("end", ("A", 1)), ack="applied")
    till.expect(offset=300, stock=[{"on_hand": "301"}])


def test_half_closed_after_a_pipeline_still_hears_everything(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(500):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number),
                 ack=("journal", "applied")[number % 2])
    till.stop_sending()
    for number in range(500):
        till.expect(offset=number)
    till.expect_closed()


def test_half_closed_at_once_is_just_closed(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.stop_sending()
    till.expect_closed()
    other = daemon.till()
    poll("the closed one to be gone", lambda: other.ask(op="status")["connections"] == 1)


def test_who_hangs_up_amid_his_puts_leaves_them_whole_or_absent(shop):
    daemon = shop.daemon()
    for number in range(20):
        till = daemon.till(f"T{number:02d}")
        for seq in range(50):
            till.put(receipt(f"x-{seq}", ("A", 1), seq=seq), ack="applied")
        till.close()
    witness = daemon.till("T99")
    poll("all to be gone", lambda: witness.ask(op="status")["connections"] == 1)
    witness.settle()
    entry = witness.partition()
    witness.expect_stock(A=str(entry["end"]))


def test_over_max_connections_is_told_and_closed(shop):
    daemon = shop.daemon(config="[limits]\nmax_connections = 5\n")
    inside = [daemon.till() for _ in range(5)]
    for till in inside:
        till.ask(op="status")
    for _ in range(20):
        outside = daemon.till()
        outside.expect(error="TOO_MANY_CONNECTIONS")
        outside.expect_closed()
    inside.pop().close()
    poll("room for one", lambda: inside[0].ask(op="status")["connections"] == 4)
    daemon.till().ask(op="status")


def first_word(till):
    """The answer to a status, or what is said at the door to one who is turned away."""
    try:
        till.send(op="status")
    except (BrokenPipeError, ConnectionResetError):
        pass
    return till.reply()


def test_thousands_of_connections(shop):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8000:
        raise Skip(f"the machine allows a process {hard} open files, this needs 8000")
    daemon = shop.daemon(config="[limits]\nmax_connections = 2000\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (8000, hard))
    first = daemon.till("T00")
    tills = [daemon.till() for _ in range(2499)]
    turned_away = 0
    for till in tills:
        reply = first_word(till)
        if reply["ok"]:
            continue
        same(reply["error"], "TOO_MANY_CONNECTIONS", "error")
        till.expect_closed()
        turned_away += 1
    same(turned_away, 500, "turned away")
    same(first.ask(op="status")["connections"], 2000, "connections")


def test_an_idle_till_is_told_and_closed(shop):
    daemon = shop.daemon(config="[limits]\nidle_timeout_s = 1\n")
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1)))
    till.expect(offset=0)
    till.expect(error="IDLE_TIMEOUT")
    till.expect_closed()
    daemon.till().ask(op="status")


def test_a_till_that_waits_for_its_answer_is_not_idle(shop):
    daemon = shop.daemon(config="[limits]\nidle_timeout_s = 1\n")
    till = daemon.till("T01")
    till.send(op="fetch", topic="stock", partition=0, offset=0, wait_ms=2500)
    till.expect(records=[], end=0)


def test_without_an_idle_timeout_nobody_is_closed(shop):
    daemon = shop.daemon()
    quiet, witness = daemon.till("T01"), daemon.till("T02")
    for number in range(500):
        witness.put(receipt(f"x-{number}", ("A", 1)))
        witness.expect(offset=number)
    quiet.ask(op="status")


def test_many_come_and_go(shop):
    daemon = shop.daemon()
    witness = daemon.till()
    for request in ({"op": "status"}, {"op": "stock"}, {"op": "fetch", "topic": "stock",
                                                        "partition": 0, "offset": 0}):
        witness.ask(request)
    descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for number in range(500):
        till = daemon.till()
        if number % 3:
            till.send(op="status")
        if number % 3 == 1:
            till.expect()
        till.close()
    poll("all to be gone", lambda: witness.ask(op="status")["connections"] == 1)
    same(len(os.listdir(f"/proc/{daemon.process.pid}/fd")), descriptors, "open descriptors")
