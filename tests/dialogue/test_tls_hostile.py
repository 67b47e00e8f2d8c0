"""tls hostile: strangers at an address that speaks TLS: silent, garbled, slow, deaf and flooding."""

import socket
import ssl
import subprocess

from certificates import Authority, TlsTill, addresses
from documents import receipt
from matching import same, true
from till import Till
from waiting import PATIENCE_S, Failure, poll

MIB = 1 << 20
GREETING = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # of a ClientHello of 508 bytes


def start(shop, **options):
    authority = Authority(shop)
    return authority, shop.daemon(listen=None, config=authority.config(
        listen=("tls:127.0.0.1:0", "127.0.0.1:0"), **options))


def secret_address(daemon):
    return addresses(daemon)[0].removeprefix("tls:")


def stranger(shop, daemon):
    """Connected to the TLS port, speaking plain."""
    till = Till(secret_address(daemon), name="stranger")
    shop.tills.append(till)
    return till


def connections(daemon):
    asker = daemon.till()
    count = asker.ask(op="status")["connections"]
    asker.close()
    return count - 1


def expect_served(shop, authority, daemon, name="honest"):
    till = TlsTill(shop, secret_address(daemon), authority.context())
    till.ask(op="hello", terminal=name)
    till.put(receipt(f"{name}-1", ("A", 1), seq=0), ack="applied")
    till.expect(outcome="accepted")
    till.close()


def test_plain_lines_at_a_tls_address_are_told_so(shop):
    authority, daemon = start(shop)
    plain = stranger(shop, daemon)
    plain.send(op="hello", terminal="T01")
    plain.expect(error="TLS_REQUIRED")
    plain.expect_closed()
    daemon.expect_log("<4>TLS_REQUIRED: ")
    expect_served(shop, authority, daemon)


def test_tls_at_a_plain_address_is_ended(shop):
    authority, daemon = start(shop)
    try:
        TlsTill(shop, daemon.address, authority.context())
    except ssl.SSLError as error:
        true("WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER" in str(error), f"got {error}")
    raw = daemon.till()
    raw.send_bytes(GREETING)  # no line end comes, ever
    raw.expect(error="NO_TLS")
    raw.expect_closed()
    daemon.expect_log("<4>NO_TLS: ")


def test_garbage_behind_a_tls_greeting(shop):
    authority, daemon = start(shop)
    for number, garbage in enumerate((b"\xff" * 600, b"\0" * 600, GREETING * 60, b"\n" * 600)):
        one = stranger(shop, daemon)
        try:
            one.send_bytes(GREETING + garbage)
            poll(f"the end of garbage {number}", lambda one=one: is_closed(one))
        except (ConnectionResetError, BrokenPipeError):
            pass
    poll("everybody to be gone", lambda: connections(daemon) == 0)
    expect_served(shop, authority, daemon)


def is_closed(till):
    till.socket.setblocking(False)
    try:
        return till.socket.recv(1 << 16) == b""
    except BlockingIOError:
        return False


def test_garbage_inside_a_connection_ends_it_alone(shop):
    authority, daemon = start(shop)
    till = TlsTill(shop, secret_address(daemon), authority.context())
    till.ask(op="hello", terminal="T01")
    till.put(receipt("x", ("A", 1), seq=0))
    till.expect(offset=0)
    till.socket.plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record nobody sealed
    poll("the end of it", lambda: connections(daemon) == 0)
    expect_served(shop, authority, daemon)
    daemon.expect_log("connection_broken")


def test_who_does_not_go_on_with_the_handshake_is_closed(shop):
    authority, daemon = start(shop, more="handshake_timeout_s = 1")
    silent, half, slow = (stranger(shop, daemon) for _ in range(3))
    half.send_bytes(GREETING)
    idle = TlsTill(shop, secret_address(daemon), authority.context())  # may be silent for ever

    def slow_is_closed():
        try:
            slow.socket.sendall(GREETING[:1] if not slow.received else b"\0")
            slow.received += b"x"
        except (ConnectionResetError, BrokenPipeError):
            return True
        return is_closed(slow)

    poll("the slow one to be closed, whatever it sends", slow_is_closed)
    for one in (silent, half):
        poll("the end", lambda one=one: is_closed(one))
    daemon.expect_log("<4>tls_stalled: ")
    idle.ask(op="hello", terminal="T01")


def test_half_open_handshakes_count_and_are_bounded(shop):
    authority, daemon = start(shop, limits="max_connections = 300")
    before = daemon.resident_bytes()
    crowd = []
    for _ in range(400):
        try:
            one = stranger(shop, daemon)
            one.send_bytes(GREETING + b"\0" * 400)
            crowd.append(one)
        except (ConnectionResetError, BrokenPipeError):
            pass
    daemon.expect_log("TOO_MANY_CONNECTIONS")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 300 * 100 * 1024, f"memory: grew by {grown} bytes")
    for one in crowd:
        one.close()
    poll("room again", lambda: has_room(daemon))
    expect_served(shop, authority, daemon)


def has_room(daemon):
    try:
        return connections(daemon) == 0
    except (Failure, ConnectionError):
        return False  # turned away


def test_who_reads_nothing_costs_no_more_than_max_reply(shop):
    authority, daemon = start(shop, limits="max_reply = 256 KiB\nidle_timeout_s = 2")
    deaf = TlsTill(shop, secret_address(daemon), authority.context())
    deaf.send(op="produce", topic="large", value="x" * 900_000)
    deaf.expect(offset=0)
    before = daemon.resident_bytes()
    deaf.socket.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ask = b'{"op":"fetch","topic":"large","offset":0}\n' * 100
    for _ in range(8):
        deaf.send_bytes(ask)
    daemon.expect_log("replies_not_taken")
    grown = daemon.resident_bytes() - before
    if not shop.sanitized():
        true(grown < 24 * MIB, f"memory: grew by {grown} bytes")
    expect_served(shop, authority, daemon)


def test_a_slow_reader_gets_every_byte(shop):
    authority, daemon = start(shop, limits="max_reply = 64 KiB")
    till = TlsTill(shop, secret_address(daemon), authority.context())
    value = "0123456789" * 90_000
    till.send(op="produce", topic="large", value=value)
    till.expect(offset=0)
    till.socket.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    for number in range(10):
        till.send(op="fetch", topic="large", offset=0, tag=number)
    for number in range(10):
        reply = till.expect(tag=number)
        same(reply["records"][0]["value"] == value, True, f"reply {number} came whole")


def test_a_client_that_asks_for_a_renegotiation_is_refused(shop):
    authority, daemon = start(shop)
    result = subprocess.run(
        ["openssl", "s_client", "-connect", secret_address(daemon), "-CAfile",
         authority.certificate, "-tls1_2"], input=b"R\n", capture_output=True, check=False,
        timeout=PATIENCE_S)
    true(b"no renegotiation" in result.stderr, f"got {result.stderr[-500:]}")
    expect_served(shop, authority, daemon)
