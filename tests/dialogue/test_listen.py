"""listen: several addresses at once, of every kind."""

import os
import socket
import stat

from documents import sale
from matching import same, true
from waiting import Skip


def free_port(family, host):
    with socket.socket(family) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise Skip(f"no {host} on this machine: {error}") from None
        return probe.getsockname()[1]


def test_ipv4_ipv6_and_a_unix_socket_at_once(shop):
    four = f"127.0.0.1:{free_port(socket.AF_INET, '127.0.0.1')}"
    six = f"[::1]:{free_port(socket.AF_INET6, '::1')}"
    unix = f"unix:{shop.path('till.sock')}"
    daemon = shop.daemon(listen=None, config="[listen]\n" + "".join(
        f"listen = {address}\n" for address in (four, six, unix)))
    for number, address in enumerate((four, six, unix)):
        till = daemon.till(f"T{number}", address=address)
        till.put(sale("x", ("A", 1)), ack="applied")
        till.expect(offset=number, stock=[{"on_hand": str(-1 - number)}])


def test_the_unix_socket_is_gone_after_a_stop_and_made_again_after_a_kill(shop):
    path = shop.path("till.sock")
    daemon = shop.daemon(listen=f"unix:{path}")
    daemon.till(address=f"unix:{path}").ask(op="status")
    daemon.kill9()
    true(os.path.exists(path), "the socket of a killed daemon is left over")
    daemon.start()
    daemon.till(address=f"unix:{path}").ask(op="status")
    daemon.stop()
    true(not os.path.exists(path), "the socket is still there after a stop")


def test_a_unix_socket_another_daemon_serves_is_not_taken_away(shop):
    path = shop.path("till.sock")
    daemon = shop.daemon(listen=f"unix:{path}")
    shop.tillqd("-d", shop.path("other"), "-l", f"unix:{path}", status=1)
    daemon.till(address=f"unix:{path}").ask(op="status")


def test_a_file_that_is_no_socket_is_not_taken_away(shop):
    path = shop.path("precious")
    with open(path, "w", encoding="utf-8") as file:
        file.write("precious")
    shop.tillqd("-d", shop.path("data"), "-l", f"unix:{path}", status=1)
    with open(path, encoding="utf-8") as file:
        same(file.read(), "precious", "content")


def test_the_ready_line_names_the_unix_socket(shop):
    daemon = shop.daemon(listen=f"unix:{shop.path('till.sock')}")
    same(daemon.address, f"unix:{shop.path('till.sock')}", "ready")
    true(stat.S_ISSOCK(os.stat(shop.path("till.sock")).st_mode), "no socket")


def test_port_0_is_any_free_one_on_ipv6_too(shop):
    free_port(socket.AF_INET6, "::1")
    daemon = shop.daemon(listen="[::1]:0")
    true(daemon.address.startswith("[::1]:") and not daemon.address.endswith(":0"),
         f"got ready {daemon.address}")
    daemon.till().ask(op="status")


def test_localhost_by_name_is_loopback(shop):
    daemon = shop.daemon(listen="localhost:0")
    daemon.till().ask(op="status")
