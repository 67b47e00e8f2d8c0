"""tokens: with a tokens file everybody says hello with a token; made, changed and given by tillq."""

import json
import os
import signal
import socket
import stat

from documents import sale
from matching import same, true
from waiting import poll

WRONG = "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ"


def folder(shop, name="data"):
    """The data directory, made before there is a daemon."""
    path = shop.path(name)
    os.makedirs(path, mode=0o750, exist_ok=True)
    return path


def add(shop, *terminals, role="terminal", options=()):
    """Gives tokens with tillq; {terminal: token}."""
    printed = shop.tillq("-d", folder(shop), "token", "add", *terminals, "--role", role, *options, "--json")
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    same([line["role"] for line in lines], [role] * len(terminals), "roles")
    return {line["terminal"]: line["token"] for line in lines}


def hello(till, terminal, token, **wanted):
    till.send(op="hello", terminal=terminal, token=token)
    return till.expect(**({"terminal": terminal} if not wanted else wanted))


def reload(daemon):
    """SIGHUP; waits until it is done."""
    done = daemon.log().count("reload: done")
    daemon.signal(signal.SIGHUP)
    poll("the reload", lambda: daemon.log().count("reload: done") > done)


def token_file(shop, tokens, name="given"):
    path = shop.path(name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.writelines(f"{terminal} {token}\n" for terminal, token in tokens.items())
    return path


# --- hello


def test_without_a_tokens_file_nobody_is_asked(shop):
    till = shop.daemon().till("T01", token=WRONG)
    till.put(sale("x", ("A", 1)))
    till.expect(offset=0)


def test_a_good_token_lets_in_and_nothing_else_does(shop):
    tokens = add(shop, "T01", "T02")
    daemon = shop.daemon()
    till = daemon.till()
    for request in ({"op": "status"}, {"op": "stock"}, {"op": "verify"}, {"op": "roll"},
                    {"op": "hello", "terminal": "T01"}):
        till.send(request, tag="x")
        till.expect(error="AUTH_REQUIRED", tag="x")
    till.put(sale("x", ("A", 1), terminal="T01", seq=0))
    till.expect(error="AUTH_REQUIRED", seq=0)
    refused = hello(till, "T01", WRONG, error="AUTH_FAILED")
    for terminal, token in (("T09", WRONG), ("T09", tokens["T01"]), ("T01", tokens["T02"])):
        same(hello(till, terminal, token, error="AUTH_FAILED"), refused, "reply")
    hello(till, "T01", tokens["T01"])
    till.put(sale("x", ("A", 1), seq=0))
    till.expect(offset=0)
    till.put(sale("y", ("A", 1), terminal="T02"))
    till.expect(error="TERMINAL_MISMATCH")
    hello(till, "T02", tokens["T01"], error="AUTH_FAILED")
    till.put(sale("y", ("A", 1), terminal="T01"))
    till.expect(error="AUTH_REQUIRED")
    same(till.ask(op="hello", terminal="T01", token=tokens["T01"])["last_seq"], 0, "last_seq")


def test_a_person_types_it_in_small_letters(shop):
    token = add(shop, "T01")["T01"]
    till = shop.daemon().till()
    hello(till, "T01", token.lower().replace("-", " "))


def test_on_a_unix_socket_too(shop):
    token = add(shop, "T01")["T01"]
    till = shop.daemon(listen=f"unix:{shop.path('till.sock')}").till()
    till.send(op="status")
    till.expect(error="AUTH_REQUIRED")
    hello(till, "T01", token)
    till.ask(op="status")


def test_the_role_management_sends_for_others(shop):
    tokens = add(shop, "M01", role="management") | add(shop, "T01")
    daemon = shop.daemon()
    manager = daemon.till("M01", token=tokens["M01"])
    manager.put(sale("x", ("A", 1), terminal="T01"))
    manager.expect(offset=0)
    till = daemon.till("T01", token=tokens["T01"])
    till.put(sale("y", ("A", 1), terminal="M01"))
    till.expect(error="TERMINAL_MISMATCH")


def test_a_stranger_does_not_keep_a_place(shop):
    token = add(shop, "T01")["T01"]
    daemon = shop.daemon(config="[limits]\nhello_timeout_s = 1\n")
    till = daemon.till("T01", token=token)
    silent, busy = daemon.till(), daemon.till()
    busy.send(op="status", tag="before")
    busy.expect(error="AUTH_REQUIRED", tag="before")
    for stranger in (silent, busy):
        stranger.expect(error="AUTH_REQUIRED", message="no good token came in time")
        stranger.expect_closed()
    till.put(sale("x", ("A", 1)))
    till.expect(offset=0)


def test_refusals_come_later_and_a_good_token_does_not_wait_for_them(shop):
    token = add(shop, "T01")["T01"]
    daemon = shop.daemon()
    others = [daemon.till() for _ in range(12)]
    for other in others:
        other.send(op="hello", terminal="T01", token=WRONG)
    others[0].expect(error="AUTH_FAILED")
    till = daemon.till("T01", token=token)
    true(others[-1].nothing_came(), "the twelfth refusal came before a good token's answer")
    for other in others[1:4]:
        other.expect(error="AUTH_FAILED")
    counters = till.ask(op="status")["counters"]
    same(counters["AUTH_FAILED"], 12, "refusals counted")
    same(daemon.stop(), 0, "exit status")  # those still held back are told now
    for other in others[4:]:
        other.expect(error="AUTH_FAILED")
        other.expect_closed()


# --- the file


def test_tokens_are_taken_over_by_a_reload(shop):
    daemon = shop.daemon()
    early = daemon.till("T02")
    early.ask(op="stock")
    tokens = add(shop, "T01", "T02")
    early.ask(op="stock")
    reload(daemon)
    early.send(op="stock")
    early.expect(error="AUTH_REQUIRED")
    hello(early, "T02", tokens["T02"])
    till = daemon.till("T01", token=tokens["T01"])
    shop.tillq("-d", daemon.directory, "token", "remove", "T02")
    reload(daemon)
    till.ask(op="stock")
    early.send(op="stock")
    early.expect(error="AUTH_REQUIRED")
    hello(early, "T02", tokens["T02"], error="AUTH_FAILED")
    fresh = add(shop, "T01", options=("--replace",))
    reload(daemon)
    till.send(op="stock")
    till.expect(error="AUTH_REQUIRED")
    hello(till, "T01", tokens["T01"], error="AUTH_FAILED")
    hello(till, "T01", fresh["T01"])


def test_an_empty_or_damaged_or_missing_file_opens_nothing(shop):
    token = add(shop, "T01")["T01"]
    daemon = shop.daemon()
    daemon.may_log_errors = True
    path = os.path.join(daemon.directory, "tokens")
    till = daemon.till("T01", token=token)
    os.rename(path, path + ".away")
    daemon.signal(signal.SIGHUP)
    daemon.expect_log("tokens are asked for as before")
    till.ask(op="stock")
    with open(path, "w", encoding="utf-8"):
        os.chmod(path, 0o640)
    daemon.signal(signal.SIGHUP)
    poll("the second reload refused",
         lambda: till.ask(op="status")["counters"].get("reload_failed") == 2)
    os.rename(path + ".away", path)
    shop.tillq("-d", daemon.directory, "token", "remove", "T01")
    reload(daemon)
    daemon.expect_log("nobody gets in")
    till.send(op="stock")
    till.expect(error="AUTH_REQUIRED")
    daemon.stop()
    daemon.start()
    till = daemon.till()
    till.send(op="stock")
    till.expect(error="AUTH_REQUIRED")


def test_a_file_everybody_can_read_is_refused_at_start(shop):
    add(shop, "T01")
    path = os.path.join(shop.path("data"), "tokens")
    same(stat.S_IMODE(os.stat(path).st_mode), 0o640, "mode as it is made")
    os.chmod(path, 0o644)
    said = shop.tillqd("-d", shop.path("data"), "-l", "127.0.0.1:0", status=2).stderr
    true(f"{path}: mode 644 " in said and "chmod 640" in said, f"got {said!r}")
    os.chmod(path, 0o640)
    shop.daemon().till().close()


def test_a_bad_line_is_named_at_start_and_by_the_check(shop):
    add(shop, "T01")
    path = os.path.join(shop.path("data"), "tokens")
    with open(path, "a", encoding="utf-8") as file:
        file.write("T02\tboss\n")
    for arguments in (("-l", "127.0.0.1:0"), ("--check-config",)):
        said = shop.tillqd("-d", shop.path("data"), *arguments, status=2).stderr
        true(f"{path}:3: the role is neither" in said, f"got {said!r}")


def test_a_file_that_is_named_must_be_there(shop):
    path = shop.path("elsewhere")
    config = shop.path("conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"[listen]\ntokens = {path}\n")
    said = shop.tillqd("-d", folder(shop), "-c", config, "-l", "127.0.0.1:0", status=2).stderr
    true(said.startswith("tillqd: tokens: ") and path in said, f"got {said!r}")
    token = add_to(shop, path, "T01")
    daemon = shop.daemon(config=f"[listen]\ntokens = {path}\n")
    hello(daemon.till(), "T01", token)


def add_to(shop, path, terminal):
    printed = shop.tillq("token", "add", terminal, "--file", path).stdout
    name, token = printed.split()
    same(name, terminal, "terminal")
    return token


def free_address():
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return f"0.0.0.0:{probe.getsockname()[1]}"


def test_beyond_loopback_only_with_tokens(shop):
    address = free_address()
    said = shop.tillqd("-d", folder(shop), "-l", address, status=2).stderr
    true("no tokens are configured" in said, f"got {said!r}")
    token = add(shop, "T01")["T01"]
    daemon = shop.daemon(listen=address)
    till = daemon.till(address="127.0.0.1:" + address.rpartition(":")[2])
    till.send(op="status")
    till.expect(error="AUTH_REQUIRED")
    hello(till, "T01", token)


def test_auth_none_asks_nobody_whatever_tokens_there_are(shop):
    add(shop, "T01")
    till = shop.daemon(config="[listen]\nauth = none\n").till("T05", token=WRONG)
    till.put(sale("x", ("A", 1)))
    till.expect(offset=0)


# --- the command line


def test_the_command_line_gives_a_token_from_a_file_or_the_environment(shop):
    tokens = add(shop, "T01") | add(shop, "M01", role="management")
    daemon = shop.daemon()
    at = ("-s", daemon.address)
    said = shop.tillq(*at, "status", status=1).stderr
    true("AUTH_REQUIRED" in said, f"got {said!r}")
    path = token_file(shop, tokens)
    for command in (["status"], ["stock"], ["dead", "list"], ["verify"], ["roll"],
                    ["movements", "A"], ["tail"]):
        shop.tillq(*at, "--token-file", path, *command)
    documents = shop.path("documents")
    with open(documents, "w", encoding="utf-8") as file:
        file.write(json.dumps(sale("1", ("A", 1))) + "\n")
    shop.tillq(*at, "--token-file", path, "put", documents)
    shop.tillq(*at, "--token-file", path, "put", "--terminal", "M01", documents)
    records = daemon.till("T01", token=tokens["T01"]).fetch_all()
    same([record["value"]["terminal"] for record in records], ["T01", "M01"], "terminals")
    os.environ["TILLQ_TOKEN"] = f"M01 {tokens['M01']}"
    shop.tillq(*at, "stock")
    os.environ["TILLQ_TOKEN"] = f"M01 {WRONG}"
    said = shop.tillq(*at, "stock", status=1).stderr
    true("hello as M01: AUTH_FAILED" in said and WRONG not in said, f"got {said!r}")


def test_bad_token_files_of_a_command_are_refused(shop):
    path = token_file(shop, {"T01": WRONG})
    os.chmod(path, 0o644)
    for content, words in ((None, "mode 644"), ("T01\n", f"{path}:1: "), ("\n# x\n", "no line")):
        if content is not None:
            os.chmod(path, 0o600)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        said = shop.tillq("--token-file", path, "status", status=2).stderr
        true(words in said, f"got {said!r}, want {words!r}")
    shop.tillq("--token-file", shop.path("nowhere"), "status", status=2)


def test_the_load_generator_gives_each_terminal_its_token(shop):
    tokens = add(shop, "T01", "T02", "T03")
    daemon = shop.daemon()
    path = token_file(shop, tokens)
    load = ("-s", daemon.address, "--token-file", path, "load", "--generate", "300")
    shop.tillq(*load, "--terminals", "3")
    said = shop.tillq(*load, "--terminals", "4", status=1).stderr
    true("AUTH_REQUIRED" in said, f"got {said!r}")


def test_token_list_add_and_remove(shop):
    where = ("-d", folder(shop), "token")
    shop.tillq(*where, "list", status=1)
    printed = shop.tillq(*where, "add", "T01", "Kasse 2").stdout
    true(WRONG not in printed and len(printed.splitlines()) == 2, f"got {printed!r}")
    add(shop, "M01", role="management")
    wanted = [{"terminal": "T01", "role": "terminal"}, {"terminal": "Kasse 2", "role": "terminal"},
              {"terminal": "M01", "role": "management"}]
    listed = shop.tillq(*where, "list", "--json").stdout
    same([json.loads(line) for line in listed.splitlines()], wanted, "list")
    said = shop.tillq(*where, "add", "T02", "T01", status=1)
    true("T01 has a token already" in said.stderr and not said.stdout, f"got {said!r}")
    shop.tillq(*where, "remove", "Kasse 2", "T02", status=1)
    same(shop.tillq(*where, "list", "--json").stdout, listed, "list after what was refused")
    shop.tillq(*where, "remove", "Kasse 2", "M01")
    same(len(shop.tillq(*where, "list", "--json").stdout.splitlines()), 1, "left")
    with open(os.path.join(shop.path("data"), "tokens"), encoding="utf-8") as file:
        content = file.read()
    for line in printed.splitlines():
        token = line.rpartition(" ")[2]
        true(token not in content and token.replace("-", "") not in content, "a token is kept")
    for bad in (["add"], ["remove"], ["list", "T01"], ["show"], []):
        shop.tillq(*where, *bad, status=2)
    shop.tillq("token", "list", status=2)
    shop.tillq(*where, "add", "a\tb", status=1)
