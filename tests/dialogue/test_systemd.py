"""systemd: sockets handed over, and what the service manager hears."""

import os
import socket
import sys

from certificates import Authority, TlsTill
from documents import sale
from matching import same, true
from waiting import PATIENCE_S, Failure

# Becomes the daemon, with the sockets where sd_listen_fds(3) has them: from descriptor 3 on.
HAND_OVER = """
import os, sys
count = int(sys.argv[1])
saved = [os.dup(int(number)) for number in sys.argv[2:2 + count]]
for place, descriptor in enumerate(saved):
    os.dup2(descriptor, 100 + place)
for place in range(count):
    os.dup2(100 + place, 3 + place, inheritable=True)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def hand_over(*sockets):
    numbers = [str(one.fileno()) for one in sockets]
    return [sys.executable, "-c", HAND_OVER, str(len(numbers)), *numbers]


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, shop):
        self.path = shop.path("notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.path, **more}

    def hear(self, wanted, patience_s=PATIENCE_S):
        """Listens until a message has the line `wanted`; the whole message."""
        self.socket.settimeout(patience_s)
        heard = []
        while True:
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError:
                raise Failure(f"notify: heard {heard[-5:]}, want {wanted!r}") from None
            heard.append(message)
            if wanted in message.splitlines():
                return message

    def hush(self, quiet_s):
        """Listens until nothing is said for so long."""
        self.socket.settimeout(quiet_s)
        for _ in range(int(PATIENCE_S / quiet_s) * 1000):
            try:
                self.socket.recv(4096)
            except TimeoutError:
                return
        raise Failure("notify: it never stops talking")


def test_a_socket_handed_over_is_served(shop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        daemon = shop.daemon(listen=None, wrapper=hand_over(listener),
                             keep_descriptors=(listener.fileno(),))
    same(daemon.address, address, "ready")
    till = daemon.till("T01", address=address)
    till.put(sale("x", ("A", 1)), ack="applied")
    till.expect(outcome="accepted")


def test_a_socket_handed_over_by_the_name_of_tls_speaks_it(shop):
    authority = Authority(shop)
    with socket.create_server(("127.0.0.1", 0)) as one, \
            socket.create_server(("127.0.0.1", 0)) as two:
        plain, secret = ("127.0.0.1:%d" % each.getsockname()[1] for each in (one, two))
        daemon = shop.daemon(listen=None, config=authority.config(), wrapper=hand_over(one, two),
                             environment={"LISTEN_FDNAMES": "tills:tls"},
                             keep_descriptors=(one.fileno(), two.fileno()))
    same(daemon.address, plain, "ready")
    daemon.till("T01", address=plain).ask(op="status")
    TlsTill(shop, secret, authority.context()).ask(op="status")


def test_two_sockets_handed_over_are_served(shop):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as two:
        path = shop.path("till.sock")
        two.bind(path)
        two.listen()
        address = "127.0.0.1:%d" % one.getsockname()[1]
        daemon = shop.daemon(listen=None, wrapper=hand_over(one, two),
                             keep_descriptors=(one.fileno(), two.fileno()))
        daemon.till(address=address).ask(op="status")
        daemon.till(address=f"unix:{path}").ask(op="status")
        daemon.stop()
        true(os.path.exists(path), "a socket that was handed over is not ours to remove")


def test_a_connection_made_before_the_daemon_is_served(shop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as early:
            early.sendall(b'{"op":"status","tag":"early"}\n')
            shop.daemon(listen=None, wrapper=hand_over(listener),
                        keep_descriptors=(listener.fileno(),))
            early.settimeout(PATIENCE_S)
            true(b'"tag":"early"' in early.recv(65536), "the early bird got no answer")


def test_the_manager_hears_ready_and_stopping(shop):
    manager = Manager(shop)
    daemon = shop.daemon(environment=manager.environment())
    manager.hear("READY=1")
    daemon.stop()
    manager.hear("STOPPING=1")


def test_the_manager_hears_of_a_reload(shop):
    manager = Manager(shop)
    daemon = shop.daemon(environment=manager.environment(), config="[limits]\nmax_line = 1 MiB\n")
    manager.hear("READY=1")
    daemon.reload("[limits]\nmax_line = 2 MiB\n")
    message = manager.hear("RELOADING=1")
    true("MONOTONIC_USEC=" in message, f"got {message!r}, want MONOTONIC_USEC with RELOADING")
    manager.hear("READY=1")


def test_the_watchdog_is_fed(shop):
    manager = Manager(shop)
    shop.daemon(environment=manager.environment(WATCHDOG_USEC="200000"))
    manager.hear("READY=1")
    for _ in range(5):
        manager.hear("WATCHDOG=1")


def test_the_watchdog_of_another_process_is_not_fed(shop):
    manager = Manager(shop)
    daemon = shop.daemon(environment=manager.environment(WATCHDOG_USEC="1000", WATCHDOG_PID="1"))
    manager.hear("READY=1")
    for _ in range(100):
        daemon.till().ask(op="status")
    daemon.stop()
    message = manager.hear("STOPPING=1")
    true("WATCHDOG=1" not in message, "fed")


def test_the_watchdog_starves_while_the_disk_hangs_and_is_fed_after(shop):
    manager = Manager(shop)
    hold = shop.path("hold")
    daemon = shop.daemon(preload=["hold_sync"], environment=manager.environment(
        WATCHDOG_USEC="200000", TILLQ_HOLD_SYNC=hold))
    daemon.may_log_errors = True  # it says that the writer is stuck
    till = daemon.till("T01")
    manager.hear("WATCHDOG=1")
    with open(hold, "w", encoding="utf-8"):
        pass
    till.put(sale("x", ("A", 1)))
    manager.hush(quiet_s=2)
    daemon.expect_log("<3>thread_stuck: ")
    os.unlink(hold)
    till.expect(offset=0)
    manager.hear("WATCHDOG=1")
