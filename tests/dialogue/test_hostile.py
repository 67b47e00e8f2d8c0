"""hostile: slow, padded and silent clients take neither the memory nor the floor from the others."""

import socket

from documents import receipt
from matching import ABSENT, same, true
from waiting import Failure, poll

MIB = 1 << 20
PAD = "x" * 900_000


def padded_fetch(wait_ms=60000):
    return {"op": "fetch", "topic": "stock", "offset": 0, "wait_ms": wait_ms, "pad": PAD}


def expect_served(daemon, name="honest"):
    honest = daemon.till(name)
    honest.put(receipt(f"{name}-1", ("A", 1), seq=0), ack="applied")
    honest.expect(outcome="accepted")


def test_padded_reads_behind_a_waiting_fetch_are_bounded(shop):
    daemon = shop.daemon(config="[limits]\nmax_pending = 8 MiB\n")
    till = daemon.till("T01")
    before = daemon.resident_bytes()
    till.send(padded_fetch())
    till.socket.setblocking(False)
    line = ('{"op":"status","pad":"' + PAD + '"}\n').encode()
    witness = daemon.till("T02")
    sent = 0
    for _ in range(2000):
        try:
            sent += till.socket.send(line)
        except BlockingIOError:
            witness.ask(op="status")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 40 * MIB, f"memory: grew by {grown} bytes after {sent} were sent")
    expect_served(daemon)  # and wakes the fetch


def test_many_padded_waiting_fetches_do_not_stop_the_shop(shop):
    daemon = shop.daemon(config="[limits]\nmax_pending = 8 MiB\n")
    quiet = daemon.till()
    quiet.send(op="produce", topic="quiet", value=1)
    quiet.expect(offset=0)
    for _ in range(30):
        daemon.till().send({**padded_fetch(), "topic": "quiet", "offset": 1})
    expect_served(daemon)
    quiet.send(op="produce", topic="quiet", value=2)
    quiet.expect(offset=1)


def test_many_halves_of_lines_are_bounded_and_the_others_are_served(shop):
    daemon = shop.daemon(config="[limits]\nmax_pending = 8 MiB\n")
    before = daemon.resident_bytes()
    half = b'{"op":"status","pad":"' + PAD.encode()
    for _ in range(60):
        till = daemon.till()
        try:
            till.send_bytes(half)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused, as it should be
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 40 * MIB, f"memory: grew by {grown} bytes")
    expect_served(daemon)


def test_who_takes_no_replies_is_closed_after_the_idle_time(shop):
    daemon = shop.daemon(config="[limits]\nidle_timeout_s = 1\nmax_reply = 64 KiB\n")
    till = daemon.till("T01")
    till.send(op="produce", topic="large", value=PAD)
    till.expect(offset=0)
    deaf = daemon.till()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(20):
        deaf.send(op="fetch", topic="large", offset=0)

    def only_the_asker_is_left():
        asker = daemon.till()
        connections = asker.ask(op="status")["connections"]
        asker.close()
        return connections == 1

    till.close()
    poll("the deaf one to be closed", only_the_asker_is_left)


def unsent_bytes(daemon, client):
    """What the kernel holds at the daemon's end of a client's connection, not taken yet."""
    ends = [f"0100007F:{port:04X}" for port in
            (int(daemon.address.rsplit(":", 1)[1]), client.socket.getsockname()[1])]
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[1:3] == ends:
                return int(fields[4].split(":")[0], 16)
    raise Failure(f"no connection {ends}")


def test_the_kernel_takes_little_ahead_of_who_reads_nothing(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.send(op="produce", topic="large", value=PAD)
    till.expect(offset=0)
    deaf = daemon.till()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(3):
        deaf.send(op="fetch", topic="large", offset=0)
    poll("its reply to be on the way", lambda: unsent_bytes(daemon, deaf) > 0)
    unsent = unsent_bytes(daemon, deaf)
    true(unsent < 400_000, f"on the way to who reads nothing: {unsent} bytes")
    for _ in range(3):  # and all of it comes when asked for
        same(deaf.expect(start=0)["records"][0]["value"], PAD, "value")


def test_produce_into_stock_is_held_to_the_terminal_and_the_seq(shop):
    till = shop.daemon().till("T05")
    foreign = receipt("x", ("A", 1), seq=7, terminal="OTHER", shop="0001")
    till.send(op="produce", topic="stock", value=foreign)
    till.expect(error="TERMINAL_MISMATCH")
    own = receipt("y", ("A", 1), seq=7, terminal="T05", shop="0001")
    till.send(op="produce", topic="stock", value=own)
    till.expect(offset=0, duplicate=ABSENT)
    till.send(op="produce", topic="stock", value=own)
    till.expect(offset=0, duplicate=True)
    till.put(own)
    till.expect(offset=0, duplicate=True)
    till.expect_stock(A="1")
    same(till.ask(op="hello", terminal="T05")["last_seq"], 7, "last_seq")


def test_one_audit_at_a_time_and_none_holds_up_the_stop(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(3000):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
    for number in range(3000):
        till.expect(offset=number)
    for _ in range(10):
        one = daemon.till()
        one.send(op="verify")
        one.close()
    same(daemon.stop(), 0, "exit status")
