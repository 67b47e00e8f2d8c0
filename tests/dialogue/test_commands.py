"""commands: tillq against a running daemon and against a directory."""

import json
import subprocess

from documents import document, receipt, sale
from matching import same, true

COMMANDS = ("status", "stock", "movements", "tail", "put", "dead", "verify", "rebuild", "roll",
            "disktest", "load")


def objects(result):
    """One JSON object a line, nothing else."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def some_business(shop):
    daemon = shop.daemon()
    till = daemon.till("T01", shop="0001")
    for one in (receipt("r-1", ("A", 10), ("B", "1.5")), sale("s-1", ("A", 3)),
                sale("s-2", ("B", 9), check="hard"), document("wish", "w-1")):
        till.put(one, ack="applied")
        till.expect()
    return daemon, till


def both_ways(shop, daemon, *arguments):
    """The command with --json asked of the daemon and of its directory gives the same."""
    told = objects(shop.tillq("-s", daemon.address, "--json", *arguments))
    same(objects(shop.tillq("-d", daemon.directory, "--json", *arguments)), told,
         " ".join(arguments) + " with -d")
    return told


def test_help_of_every_command(shop):
    for options in (["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)):
        result = shop.tillq(*options)
        true("usage:" in result.stdout and not result.stderr, f"tillq {options}: {result}")
    for command in COMMANDS:
        true(command in shop.tillq("--help").stdout, f"{command} is not in the help")
    true(shop.tillq("--version").stdout.startswith("tillq "), "no version")


def test_bad_usage_ends_with_2_and_says_how(shop):
    for options in ([], ["nonsense"], ["--nonsense"], ["status", "surplus"], ["stock", "--nonsense"],
                    ["movements"], ["put"], ["dead", "nonsense"], ["dead", "show"],
                    ["dead", "drop", "1"], ["tail", "--from", "x"], ["-s", "nowhere", "status"],
                    ["-s", "127.0.0.1:1", "-d", "x", "status"], ["-d", "x", "put", "f"],
                    ["-d", "x", "roll"], ["rebuild"]):
        result = shop.tillq(*options, status=2)
        same(result.stdout, "", f"standard output of {options}")
        true(result.stderr.startswith("tillq: "), f"{options}: got {result.stderr!r}")


def test_nobody_at_the_address_ends_with_1(shop):
    daemon = shop.daemon()
    daemon.stop()
    for command in (["status"], ["stock"], ["movements", "A"], ["tail"], ["dead"], ["roll"],
                    ["verify"], ["put", "/dev/null"]):
        result = shop.tillq("-s", daemon.address, *command, status=1)
        true(daemon.address in result.stderr, f"{command}: got {result.stderr!r}")


def test_a_directory_that_is_none_of_ours_ends_with_1(shop):
    for command in (["status"], ["stock"], ["verify"], ["rebuild"]):
        result = shop.tillq("-d", shop.path("missing"), *command, status=1)
        true(shop.path("missing") in result.stderr, f"{command}: got {result.stderr!r}")


def test_status(shop):
    daemon, _ = some_business(shop)
    [status] = objects(shop.tillq("-s", daemon.address, "--json", "status"))
    same(status, {"pid": daemon.process.pid, "dead": 2, "lag_records": 0,
                  "outcomes": {"accepted": 2, "rejected": 2, "duplicate": 0, "conflict": 0},
                  "partitions": [{"topic": "stock", "start": 0, "end": 4, "applied": 4}]}, "status")
    true("ok" not in status, "ok is of the protocol, not of the command")
    [status] = objects(shop.tillq("-d", daemon.directory, "--json", "status"))
    same(status, {"dead": 2, "outcomes": {"accepted": 2, "rejected": 2},
                  "partitions": [{"end": 4, "applied": 4}]}, "status with -d")


def test_stock(shop):
    daemon, _ = some_business(shop)
    row = {"shop": "0001", "location": "main", "reserved": "0"}
    first = {**row, "sku": "A", "on_hand": "7", "available": "7"}
    second = {**row, "sku": "B", "on_hand": "1.5", "available": "1.5"}
    same(both_ways(shop, daemon, "stock"), [first, second], "stock")
    same(both_ways(shop, daemon, "stock", "B"), [second], "stock B")
    same(both_ways(shop, daemon, "stock", "B", "A", "C"), [first, second], "stock B A C")
    same(both_ways(shop, daemon, "stock", "--shop", "0002"), [], "stock of another shop")


def test_stock_prints_a_thousand_rows_or_all(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("r", *[(f"sku-{number:04d}", 1) for number in range(1500)]), ack="applied")
    till.expect()
    result = shop.tillq("-s", daemon.address, "--json", "stock")
    same(len(objects(result)), 1000, "rows")
    true("--all" in result.stderr, f"got {result.stderr!r}, want --all mentioned")
    all_rows = both_ways(shop, daemon, "stock", "--all")
    same([row["sku"] for row in all_rows], [f"sku-{number:04d}" for number in range(1500)], "skus")


def test_stock_for_people_is_a_table(shop):
    daemon, _ = some_business(shop)
    lines = shop.tillq("-s", daemon.address, "stock").stdout.splitlines()
    same(lines[0].split(), ["SHOP", "LOCATION", "SKU", "ON", "HAND", "RESERVED", "AVAILABLE"],
         "title")
    same(lines[1].split(), ["0001", "main", "A", "7", "0", "7"], "row")


def test_movements(shop):
    daemon, _ = some_business(shop)
    same(both_ways(shop, daemon, "movements", "A"),
         [{"offset": 1, "qty": "-3", "balance": "7", "from": "shelf", "to": "customer"},
          {"offset": 0, "qty": "10", "balance": "10", "from": "supplier", "to": "shelf"}],
         "movements")


def test_tail(shop):
    daemon, _ = some_business(shop)
    same([record["offset"] for record in both_ways(shop, daemon, "tail")], [0, 1, 2, 3], "all")
    same([record["offset"] for record in both_ways(shop, daemon, "tail", "--from", "2")], [2, 3],
         "from 2")
    same([record["offset"] for record in both_ways(shop, daemon, "tail", "--from", "-1")], [3],
         "the last one")
    shop.tillq("-s", daemon.address, "tail", "--topic", "nothing", status=1)


def test_tail_that_follows_prints_each_record_as_it_comes(shop):
    daemon, till = some_business(shop)
    for where in (["-s", daemon.address], ["-d", daemon.directory]):
        start = till.partition()["end"]
        with subprocess.Popen([shop.program("tillq"), *where, "--json", "tail", "--follow",
                               "--from", str(start)], stdout=subprocess.PIPE) as tail:
            for number in range(3):
                till.put(sale(f"{where[0]}-{number}", ("A", 1)))
                till.expect()
                same(json.loads(tail.stdout.readline()),
                     {"offset": start + number, "value": {"id": f"{where[0]}-{number}"}}, "record")
            tail.kill()


def write_lines(shop, name, *documents):
    path = shop.path(name)
    with open(path, "w", encoding="utf-8") as file:
        for one in documents:
            file.write(json.dumps(one) + "\n")
    return path


def test_put_sends_the_documents_of_a_file(shop):
    daemon = shop.daemon()
    path = write_lines(shop, "documents", *[receipt(f"r-{number}", ("A", 1), terminal="T01")
                                            for number in range(200)])
    told = objects(shop.tillq("-s", daemon.address, "--json", "put", "--ack", "applied", path))
    same([reply["offset"] for reply in told], list(range(200)), "offsets")
    daemon.till().expect_stock(A="200")


def test_put_reads_standard_input_and_says_hello(shop):
    daemon = shop.daemon()
    shop.tillq("-s", daemon.address, "put", "--terminal", "T09", "--shop", "0042", "-",
               stdin=json.dumps(receipt("r", ("A", 1))))
    till = daemon.till()
    same(till.fetch_all(), [{"value": {"terminal": "T09", "shop": "0042"}}], "records")


def test_put_takes_the_good_and_names_the_bad(shop):
    daemon = shop.daemon()
    path = write_lines(shop, "documents", receipt("r-1", ("A", 1), terminal="T01"),
                       receipt("r-2", ("A", "x"), terminal="T01"),
                       receipt("r-3", ("A", 1), terminal="T01"))
    result = shop.tillq("-s", daemon.address, "put", path, status=1)
    true(f"{path}:2" in result.stderr and "BAD_DOCUMENT" in result.stderr,
         f"got {result.stderr!r}, want the line and the code")
    daemon.till().expect_stock(A="2")


def test_put_without_acknowledgement_names_the_bad_too(shop):
    daemon = shop.daemon()
    path = write_lines(shop, "documents", *[
        receipt(f"r-{number}", ("A", "x" if number == 150 else 1), terminal="T01")
        for number in range(300)])
    result = shop.tillq("-s", daemon.address, "put", "--ack", "none", path, status=1)
    true(f"{path}:151" in result.stderr, f"got {result.stderr!r}")
    daemon.till().expect_stock(A="299")


def test_dead_lists_shows_retries_and_drops(shop):
    daemon, till = some_business(shop)
    same([(one["offset"], one["reason"]) for one in both_ways(shop, daemon, "dead", "list")],
         [(2, "INSUFFICIENT_STOCK"), (3, "UNKNOWN_TYPE")], "dead")
    [shown] = both_ways(shop, daemon, "dead", "show", "2")
    same(shown, {"offset": 2, "value": {"id": "s-2"}}, "shown")
    shop.tillq("-s", daemon.address, "dead", "show", "0", status=1)
    shop.tillq("-s", daemon.address, "dead", "retry", "2", status=1)
    till.put(receipt("r-2", ("B", 10)), ack="applied")
    till.expect()
    shop.tillq("-s", daemon.address, "dead", "retry", "2")
    shop.tillq("-s", daemon.address, "dead", "drop", "3", "--reason", "nobody grants wishes")
    same(both_ways(shop, daemon, "dead"), [], "dead afterwards")
    till.expect_stock(A="7", B="2.5")
    shop.tillq("-s", daemon.address, "dead", "drop", "3", "--reason", "twice", status=1)


def test_control_characters_do_not_reach_the_terminal(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send(b'{"op":"produce","topic":"t","key":"\\u001b[31m",'
              b'"value":"\\u001b]0;x\\u0007 \xc2\x9b"}')
    till.expect()
    out = shop.tillq("-s", daemon.address, "tail", "--topic", "t").stdout
    true(not set(out) & {"\x1b", "\x07", "\x9b"}, f"got {out!r}")


def test_commands_read_a_directory_whose_daemon_was_killed(shop):
    daemon, _ = some_business(shop)
    told = objects(shop.tillq("-s", daemon.address, "--json", "stock"))
    daemon.kill9()
    same(objects(shop.tillq("-d", daemon.directory, "--json", "stock")), told, "stock")
    same(len(objects(shop.tillq("-d", daemon.directory, "--json", "tail"))), 4, "records")
    shop.tillq("-d", daemon.directory, "verify")
