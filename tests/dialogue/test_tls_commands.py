"""tls commands: the command line, and with it the client in C, through TLS."""

import json
import socket

from certificates import Authority, TlsTill
from matching import same, true


def start(shop, **options):
    authority = Authority(shop)
    return authority, shop.daemon(listen=None, config=authority.config(**options))


def ask(shop, daemon, authority, *words, client=None, status=0, stdin=None):
    files = ["--ca", authority.certificate] if authority else []
    if client:
        files += ["--certificate", authority.path(client + ".crt"),
                  "--key", authority.path(client + ".key")]
    return shop.tillq("-s", daemon.address, *files, *words, status=status, stdin=stdin)


def documents(count, note=""):
    return "".join(json.dumps({"type": "receipt", "id": f"x-{number}", "terminal": "T01",
                               "shop": "0001", "seq": number, "note": note,
                               "lines": [{"sku": "A", "qty": 1}]}) + "\n"
                   for number in range(count))


def test_commands_through_tls(shop):
    authority, daemon = start(shop)
    ask(shop, daemon, authority, "put", "-", stdin=documents(2000))
    TlsTill(shop, daemon.address, authority.context()).settle()
    rows = [json.loads(line) for line in
            ask(shop, daemon, authority, "stock", "--json").stdout.splitlines()]
    same([row["on_hand"] for row in rows], ["2000"], "stock")
    lines = ask(shop, daemon, authority, "tail", "--json", "--from", "0").stdout.splitlines()
    same(len(lines), 2000, "records in the tail")
    true("sound" in ask(shop, daemon, authority, "verify").stdout, "verify")


def test_lines_of_every_length_around_a_records_limit(shop):
    authority, daemon = start(shop)
    text = "".join(documents(1, note="n" * length).replace("x-0", f"x-{length}")
                   .replace('"seq": 0', f'"seq": {length}')
                   for length in (*range(16150, 16400, 3), 65536, 900_000))
    ask(shop, daemon, authority, "put", "-", stdin=text)
    lines = ask(shop, daemon, authority, "tail", "--json", "--from", "0").stdout.splitlines()
    same([json.loads(line)["value"]["note"].strip("n") for line in lines], [""] * 86, "notes")
    same(len(json.loads(lines[-1])["value"]["note"]), 900_000, "the last one's length")


def test_a_certificate_that_cannot_be_trusted_is_named(shop):
    authority, daemon = start(shop)
    other = Authority(shop, "other")
    message = ask(shop, daemon, other, "status", status=1).stderr
    true("certificate" in message, f"got {message!r}")
    message = ask(shop, daemon, None, "status", status=1).stderr
    true("certificate" in message, f"got {message!r}")
    authority.issue("server", "subjectAltName=DNS:elsewhere.example")
    daemon.reload(authority.config())
    daemon.expect_log("reload: done")
    message = ask(shop, daemon, authority, "status", status=1).stderr
    true("IP address mismatch" in message, f"got {message!r}")


def test_a_client_certificate_on_the_command_line(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    authority.issue_till("T02")
    daemon = shop.daemon(listen=None, config=authority.client_config("required"))
    ask(shop, daemon, authority, "status", client="T01")
    ask(shop, daemon, authority, "put", "-", client="T01", stdin=documents(3))
    message = ask(shop, daemon, authority, "status", status=1).stderr
    true("certificate required" in message, f"got {message!r}")
    result = ask(shop, daemon, authority, "put", "-", client="T02", stdin=documents(1), status=None)
    true("TERMINAL_MISMATCH" in result.stdout + result.stderr, f"got {result}")


def test_files_that_cannot_be_used_are_named(shop):
    authority, daemon = start(shop)
    address = ("-s", daemon.address)
    for files in (("--ca", shop.path("none")), ("--ca", shop.path("data.log")),
                  ("--ca", authority.certificate, "--certificate", shop.path("none")),
                  ("--ca", authority.certificate, "--certificate", authority.path("server.crt"),
                   "--key", authority.path("ca.key"))):
        message = shop.tillq(*address, *files, "status", status=1).stderr
        true(files[-1] in message, f"got {message!r}, want {files[-1]} in it")


def test_tls_to_who_does_not_speak_it(shop):
    authority, daemon = start(shop, listen=("tls:127.0.0.1:0", "127.0.0.1:0"))
    message = shop.tillq("-s", f"tls:{daemon.address}", "--ca", authority.certificate, "status",
                         status=1).stderr
    true("TLS: " in message, f"got {message!r}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "tls:127.0.0.1:%d" % silent.getsockname()[1]
        message = shop.tillq("-s", address, "--ca", authority.certificate, "status", status=1).stderr
        true("no answer in time" in message, f"got {message!r}")


def test_misuse_is_named(shop):
    for words in (("-s", "127.0.0.1:7077", "--ca", "x", "status"),
                  ("-s", "tls:unix:/x", "status"), ("-s", "tls:127.0.0.1", "status")):
        shop.tillq(*words, status=2)
    message = shop.tillq("-s", "tls:127.0.0.1:1", "load", status=1).stderr
    true("speaks no TLS" in message, f"got {message!r}")
