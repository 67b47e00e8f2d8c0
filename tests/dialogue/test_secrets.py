"""secrets: a token is in no log, no process list, no file and no memory once hello is answered; what
the daemon makes is for its group at most.
"""

import json
import os
import re
import ssl
import stat

from certificates import Authority, TlsTill
from documents import receipt, sale
from matching import same, true
from test_tokens import WRONG, add, folder, hello, token_file
from waiting import Skip, poll


def writable_memory(pid):
    """(name, bytes) of each writable mapping."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
            start, end = int(match.group(1), 16), int(match.group(2), 16)
            if "w" not in match.group(3) or "[vvar" in line:
                continue
            try:
                memory.seek(start)
                yield line.split()[-1], memory.read(end - start)
            except OSError:
                continue  # guard pages


def places_in_memory(daemon, words):
    """The mappings that hold one of the words."""
    return [name for name, content in writable_memory(daemon.process.pid)
            if any(word in content for word in words)]


def forms(token):
    """A token as it is written, without its dashes, and enough of its middle."""
    bare = token.replace("-", "")
    return [token.encode(), bare.encode(), bare.lower().encode(), token[10:29].encode(),
            bare[8:24].encode()]


def send_in_pieces(till, line):
    for byte in line:
        till.send_bytes(bytes([byte]))


def test_after_a_hello_the_token_is_nowhere_in_memory(shop):
    if os.geteuid() != 0:
        raise Skip("only root may look into the daemon's memory")
    if shop.sanitized():
        raise Skip("a sanitizer keeps freed memory as it was")
    tokens = add(shop, "T01", "T02", "T03", "T04", "T05")
    daemon = shop.daemon()
    marker = "marker-of-a-till-that-is-there"
    tills = [daemon.till() for _ in range(6)]
    hello(tills[0], "T01", tokens["T01"])
    line = json.dumps({"op": "hello", "terminal": "T02", "shop": marker, "token": tokens["T02"]})
    send_in_pieces(tills[1], line.encode() + b"\n")
    tills[1].expect(terminal="T02", shop=marker)
    # escaped, so that it is copied to be read, and with a request before and behind it
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in tokens["T03"])
    tills[2].send(b'{"op":"stock"}\n{"op":"hello","terminal":"T03","token":"'
                  + escaped.encode() + b'"}\n{"op":"stock"}')
    tills[2].expect(error="AUTH_REQUIRED")
    tills[2].expect(terminal="T03")
    tills[2].expect(stock=[])
    # behind a refusal that is held back it has to be kept
    hello(tills[3], "T04", WRONG, error="AUTH_FAILED")
    tills[3].send(b'{"op":"hello","terminal":"T04","token":"' + WRONG.encode()
                  + b'"}\n{"op":"hello","terminal":"T04","token":"' + tokens["T04"].encode()
                  + b'"}')
    tills[3].expect(error="AUTH_FAILED")
    tills[3].expect(terminal="T04")
    # not JSON, an unknown request, and half a line that is never ended
    tills[4].send(b'{"op":"hello","terminal":"T05","token":"' + tokens["T05"].encode() + b'",}')
    tills[4].expect(error="BAD_JSON")
    tills[4].send(b'{"op":"helo","terminal":"T05","token":"' + tokens["T05"].encode() + b'"}')
    tills[4].expect(error="BAD_REQUEST")
    tills[5].send_bytes(b'{"op":"hello","terminal":"T05","token":"' + tokens["T05"].encode())
    tills[5].close()
    poll("the half line's connection to go",
         lambda: tills[0].ask(op="status")["connections"] == 5)
    true(places_in_memory(daemon, [marker.encode()]), "the looking itself finds nothing")
    for terminal, token in tokens.items():
        same(places_in_memory(daemon, forms(token)), [], f"memory that holds {terminal}'s token")
    same(places_in_memory(daemon, forms(escaped)[:1]), [], "memory that holds it escaped")


def test_through_tls_the_token_is_nowhere_in_memory_either(shop):
    if os.geteuid() != 0:
        raise Skip("only root may look into the daemon's memory")
    if shop.sanitized():
        raise Skip("a sanitizer keeps freed memory as it was")
    token = add(shop, "T01")["T01"]
    authority = Authority(shop)
    daemon = shop.daemon(listen=None, config=authority.config())
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        till = TlsTill(shop, daemon.address, authority.context(version=version))
        till.send(op="status")
        till.expect(error="AUTH_REQUIRED")
        hello(till, "T01", token)
        till.ask(op="status")
    same(places_in_memory(daemon, forms(token)), [], "memory that holds the token")


def test_no_token_is_in_the_log_the_process_list_or_a_file(shop):
    tokens = add(shop, "T01", "T02")
    daemon = shop.daemon(config="[daemon]\nlog_level = debug\n")
    till = daemon.till("T01", token=tokens["T01"])
    till.put(sale("x", ("A", 1)), ack="applied")
    till.expect(offset=0)
    other = daemon.till()
    hello(other, "T01", tokens["T02"], error="AUTH_FAILED")
    hello(other, tokens["T02"], tokens["T02"], error="AUTH_FAILED")  # the wrong field
    other.send(op="hello", terminal=[tokens["T02"]], token=tokens["T02"])
    other.expect(error="BAD_REQUEST")
    path = token_file(shop, tokens)
    shop.tillq("-s", daemon.address, "--token-file", path, "status")
    with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as file:
        seen = [("process list", file.read())]
    daemon.expect_log("AUTH_FAILED: from 127.0.0.1: a wrong token for terminal T01")
    daemon.stop()
    for place, _, names in os.walk(daemon.directory):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                seen.append((name, file.read()))
    seen.append(("log", daemon.log().encode()))
    for where, content in seen:
        for token in tokens.values():
            for word in forms(token):
                true(word not in content, f"a token is in the {where}")


def test_no_memory_goes_into_a_core_file(shop):
    pid = shop.daemon(wrapper=("prlimit", "--core=unlimited")).process.pid
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        true(re.search(r"^Max core file size +0 +0 ", file.read(), re.MULTILINE), "it has a size")
    with open(f"/proc/{pid}/coredump_filter", encoding="ascii") as file:
        same(int(file.read(), 16), 0, "mappings that would be in a piped one")


# --- files


def modes(directory):
    """{path from the directory: mode} of all there is, itself as "."."""
    found = {".": stat.S_IMODE(os.stat(directory).st_mode)}
    for place, folders, names in os.walk(directory):
        for name in folders + names:
            path = os.path.join(place, name)
            found[os.path.relpath(path, directory)] = stat.S_IMODE(os.stat(path).st_mode)
    return found


def expect_modes(directory, sealed):
    for path, mode in modes(directory).items():
        if path in (".", "journal"):
            wanted = 0o750
        elif path in sealed:
            wanted = 0o440
        else:
            wanted = 0o640
        same(oct(mode), oct(wanted), f"mode of {path}")


def sealed_segments(directory):
    names = sorted(name for name in os.listdir(os.path.join(directory, "journal"))
                   if name.endswith(".db"))
    return {os.path.join("journal", name) for name in names[:-1]}


def work(daemon, name):
    till = daemon.till("M01")
    till.put(receipt(f"{name}-1", ("A", 5)), ack="applied")
    till.expect()
    till.ask(op="roll")
    till.put(sale(f"{name}-2", ("A", 1)), ack="applied")
    till.expect()
    sealed = os.path.join(daemon.directory, sorted(sealed_segments(daemon.directory))[-1])
    poll("the seal", lambda: stat.S_IMODE(os.stat(sealed).st_mode) == 0o440)
    till.close()


def check_modes_under(shop, mask):
    before = os.umask(mask)
    try:
        daemon = shop.daemon()
        work(daemon, "one")
        expect_modes(daemon.directory, sealed_segments(daemon.directory))
        daemon.kill9()
        daemon.start()
        work(daemon, "two")
        expect_modes(daemon.directory, sealed_segments(daemon.directory))
        daemon.stop()
        shop.tillq("-d", daemon.directory, "rebuild")
        shop.tillq("-d", daemon.directory, "verify")
        expect_modes(daemon.directory, sealed_segments(daemon.directory))
        os.remove(os.path.join(daemon.directory, "stock.db"))
        daemon.start()
        add(shop, "M01")
        expect_modes(daemon.directory, sealed_segments(daemon.directory))
    finally:
        os.umask(before)


def test_files_are_0640_and_folders_0750_with_no_umask_at_all(shop):
    check_modes_under(shop, 0o000)


def test_files_are_0640_and_folders_0750_with_a_strict_umask(shop):
    check_modes_under(shop, 0o077)


def test_a_directory_everybody_can_enter_is_warned_of(shop):
    path = folder(shop)
    os.chmod(path, 0o755)
    daemon = shop.daemon()
    daemon.expect_log(f"<4>{path}: mode 755 ")
    daemon.stop()
    os.chmod(path, 0o750)
    before = len(daemon.log())
    daemon.start()
    true("mode" not in daemon.log()[before:], "warned of a directory that is right")
