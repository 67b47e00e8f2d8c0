"""start: what the daemon says of itself, and what it will not start with."""

import os
import re
import socket
import stat

from matching import same, true
from waiting import Failure


def refused(shop, config, *words, options=()):
    """Starting with this configuration must exit 2 with one line that holds the words."""
    path = shop.path("bad.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    for extra in (["--check-config"], []):
        result = shop.tillqd("-d", shop.path("bad"), "-c", path, *extra, *options, status=2)
        for word in words:
            if word not in result.stderr:
                raise Failure(f"got {result.stderr!r}, want {word!r} in it")
        same(len(result.stderr.strip().splitlines()), 1, "lines of the message")
        same(result.stdout, "", "standard output")
    true(not os.path.exists(shop.path("bad")), "a directory was made with a bad configuration")


def test_the_ready_line_says_where(shop):
    daemon = shop.daemon()
    true(re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", daemon.address), f"got ready {daemon.address}")
    daemon.till().ask(op="status")


def test_the_directory_is_made(shop):
    daemon = shop.daemon("new")
    true(os.path.isdir(daemon.directory), "no directory")
    mode = stat.S_IMODE(os.stat(daemon.directory).st_mode)
    same(mode & stat.S_IWOTH, 0, "writable by others")


def test_a_second_daemon_on_one_directory_says_who_holds_it(shop):
    daemon = shop.daemon()
    result = shop.tillqd("-d", daemon.directory, "-l", "127.0.0.1:0", status=1)
    true(str(daemon.process.pid) in result.stderr, f"got {result.stderr!r}, want the holder's pid")
    true(daemon.directory in result.stderr, f"got {result.stderr!r}, want the directory")
    daemon.till().ask(op="status")


def test_a_directory_is_free_again_after_a_kill(shop):
    daemon = shop.daemon()
    daemon.kill9()
    daemon.start()
    daemon.till().ask(op="status")


def test_a_port_in_use_ends_with_1_and_names_it(shop):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = shop.tillqd("-d", shop.path("data"), "-l", f"127.0.0.1:{port}", status=1)
    true(f"127.0.0.1:{port}" in result.stderr, f"got {result.stderr!r}, want the address")


def test_a_directory_that_cannot_be_made_ends_with_1(shop):
    with open(shop.path("file"), "w", encoding="utf-8"):
        pass
    result = shop.tillqd("-d", shop.path("file/below"), "-l", "127.0.0.1:0", status=1)
    true(shop.path("file") in result.stderr, f"got {result.stderr!r}, want the path")
    result = shop.tillqd("-d", shop.path("file"), "-l", "127.0.0.1:0", status=1)
    true(shop.path("file") in result.stderr, f"got {result.stderr!r}, want the path")


def test_help_and_version(shop):
    for options in (["--help"], ["-h"]):
        result = shop.tillqd(*options)
        for word in ("-c", "-d", "-l", "--check-config", "--version"):
            true(word in result.stdout, f"{options}: got {result.stdout!r}, want {word} in it")
        same(result.stderr, "", "standard error")
    for options in (["--version"], ["-V"]):
        result = shop.tillqd(*options)
        true(re.match(r"tillqd \d+\.\d+\.\d+", result.stdout), f"{options}: got {result.stdout!r}")


def test_bad_usage_ends_with_2_and_one_line(shop):
    for options in (["--no-such-option"], ["-x"], ["-d"], ["surplus"], ["-l", "nonsense"],
                    ["-l", "127.0.0.1:99999"], ["-l", "127.0.0.1"], ["-l", ""]):
        result = shop.tillqd("-d", shop.path("unused"), *options, status=2)
        same(result.stdout, "", f"standard output of {options}")
        true(result.stderr.strip(), f"{options}: not a word")
    true(not os.path.exists(shop.path("unused")), "a directory was made with bad usage")


def test_check_config_says_nothing_bad_of_a_good_one(shop):
    path = shop.path("good.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("; a comment\n[daemon]\ndirectory = /nowhere\nshop = 0001\nlog_level = debug\n"
                   "[listen]\nlisten = 127.0.0.1:7077\nlisten = [::1]:7077\n"
                   "listen = unix:/run/tillq.sock\nmanagement = M01 M02\n"
                   "[limits]\nmax_line = 2 MiB\nidle_timeout_s = 3600\n"
                   "[journal]\nsegment_bytes = 1 GiB\n[stock]\napply_documents = 10\n")
    shop.tillqd("--check-config", "-c", path)


def test_a_configuration_that_is_not_there_is_named(shop):
    result = shop.tillqd("-c", shop.path("missing.conf"), status=2)
    true(shop.path("missing.conf") in result.stderr, f"got {result.stderr!r}, want the path")


def test_an_unknown_key_is_named_with_file_and_line(shop):
    refused(shop, "[daemon]\n\nshoop = 0001\n", "bad.conf:3", "shoop")


def test_an_unknown_section_is_named(shop):
    refused(shop, "[demon]\nshop = 0001\n", "bad.conf:", "demon")


def test_a_key_twice_is_named(shop):
    refused(shop, "[daemon]\nshop = 0001\nshop = 0002\n", "bad.conf:3", "shop")


def test_a_value_out_of_range_is_named(shop):
    for section, line, key in (("limits", "max_line = 1", "max_line"),
                               ("limits", "max_line = 17 MiB", "max_line"),
                               ("limits", "max_connections = 0", "max_connections"),
                               ("limits", "max_in_flight = -1", "max_in_flight"),
                               ("limits", "idle_timeout_s = soon", "idle_timeout_s"),
                               ("journal", "segment_bytes = 1 KiB", "segment_bytes"),
                               ("journal", "batch_records = 0", "batch_records"),
                               ("stock", "apply_documents = 0", "apply_documents"),
                               ("daemon", "log_level = loud", "log_level"),
                               ("listen", "auth = maybe", "auth"),
                               ("listen", "listen = 127.0.0.1:http", "listen"),
                               ("listen", "listen = unix:relative", "listen")):
        refused(shop, f"[{section}]\n{line}\n", "bad.conf:2", key)


def test_a_line_that_is_no_key_is_named(shop):
    refused(shop, "[daemon]\njust words\n", "bad.conf:2")


def test_beyond_loopback_needs_auth_none_written_out(shop):
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:7077"):
        refused(shop, f"[listen]\nlisten = {address}\n", "listen")
        result = shop.tillqd("-d", shop.path("bad"), "-l", address, status=2)
        true("auth" in result.stderr, f"got {result.stderr!r}, want auth named")


def test_beyond_loopback_with_auth_none_is_accepted(shop):
    daemon = shop.daemon(config="[listen]\nauth = none\n", listen="0.0.0.0:0")
    port = daemon.address.rsplit(":", 1)[1]
    daemon.till(address=f"127.0.0.1:{port}").ask(op="status")


def test_the_log_names_the_sqlite_version_and_the_way_it_started(shop):
    daemon = shop.daemon()
    version = daemon.till().ask(op="status")["sqlite"]
    daemon.expect_log(version)


def test_log_lines_carry_a_level(shop):
    daemon = shop.daemon()
    daemon.stop()
    for line in daemon.log().splitlines():
        true(re.match(r"<[3-7]>\S", line), f"log line without a level: {line!r}")
