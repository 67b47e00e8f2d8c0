"""audit: verify says sound only of what is, and names the first bad offset of what is not."""

import glob
import json
import os
import shutil
import sqlite3
import stat

from documents import document, drop, receipt, sale
from matching import same, true
from waiting import poll


def audit(shop, daemon, status):
    result = shop.tillq("-d", daemon.directory, "--json", "verify", status=status)
    return json.loads(result.stdout)


def some_business(shop, count=30):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(count):
        till.put(receipt(f"r-{number}", ("A", 1), ("B", "0.5"), seq=number), ack="applied")
        till.expect()
        if number == count // 2:
            till.ask(op="roll")
    till.put(sale("s", ("C", 1), check="hard"), ack="applied")
    till.put(document("wish", "w"), ack="applied")
    till.put(drop("d", count + 1), ack="applied")
    for _ in range(3):
        till.expect()
    poll("the first segment to be sealed",
         lambda: not os.stat(segments(daemon)[0]).st_mode & stat.S_IWUSR)
    return daemon


def segments(daemon):
    return sorted(glob.glob(os.path.join(daemon.directory, "journal", "*.db")))


def change(path, *statements):
    """What no program of ours does: changes a file behind the journal's back."""
    os.chmod(path, 0o644)
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def stopped_to_damage(shop):
    daemon = some_business(shop)
    daemon.stop()
    same(audit(shop, daemon, 0), {"sound": True}, "before the damage")
    shop.leave_unverified()
    return daemon


def test_a_sound_directory_is_sound_and_counted(shop):
    daemon = some_business(shop)
    for name in ("running", "stopped"):
        same(audit(shop, daemon, 0), {"sound": True, "segments": 2, "records": 33,
                                      "documents": 33, "movements": 60, "stock_rows": 2,
                                      "applied": 33}, name)
        if name == "running":
            same(json.loads(shop.tillq("-s", daemon.address, "--json", "verify").stdout),
                 {"sound": True, "records": 33}, "asked of the daemon")
            daemon.stop()


def test_a_directory_is_sound_while_it_is_written(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for round_number in range(5):
        for number in range(1000):
            till.put(receipt(f"r-{round_number}-{number}", ("A", 1), (f"sku-{number}", 1)),
                     ack="none")
        if round_number % 2:
            till.send(op="roll")
        same(audit(shop, daemon, 0), {"sound": True}, f"round {round_number}")
        if round_number % 2:
            till.expect(segment=round_number // 2 + 1)
    till.expect_stock(A="5000")


def test_an_empty_directory_is_sound(shop):
    daemon = shop.daemon()
    same(audit(shop, daemon, 0), {"sound": True, "records": 0}, "verify")


def test_a_changed_record_is_found_at_its_offset(shop):
    daemon = stopped_to_damage(shop)
    change(segments(daemon)[1], 'UPDATE "stock-0" SET records = replace(records, \'"r-20"\', '
           '\'"r-xx"\') WHERE base_offset = 20')
    same(audit(shop, daemon, 1), {"sound": False, "topic": "stock", "partition": 0, "offset": 20},
         "verify")


def test_a_record_changed_in_a_sealed_segment_is_found(shop):
    daemon = stopped_to_damage(shop)
    change(segments(daemon)[0], 'UPDATE "stock-0" SET records = replace(records, \'"r-5"\', '
           '\'"r-x"\') WHERE base_offset = 5')
    same(audit(shop, daemon, 1), {"sound": False, "fault": lambda text: len(text) > 0}, "verify")


def test_a_missing_record_is_found_at_its_offset(shop):
    daemon = stopped_to_damage(shop)
    change(segments(daemon)[1], 'DELETE FROM "stock-0" WHERE base_offset = 25')
    same(audit(shop, daemon, 1), {"sound": False, "offset": 25}, "verify")


def test_a_missing_segment_is_found(shop):
    daemon = stopped_to_damage(shop)
    os.unlink(segments(daemon)[0])
    same(audit(shop, daemon, 1), {"sound": False}, "verify")


def test_a_truncated_segment_is_found(shop):
    daemon = stopped_to_damage(shop)
    path = segments(daemon)[1]
    os.truncate(path, os.path.getsize(path) - 8192)
    same(shop.tillq("-d", daemon.directory, "--json", "verify", status=1).returncode, 1, "verify")


def test_flipped_bytes_are_found_wherever_they_are(shop):
    daemon = stopped_to_damage(shop)
    for path in segments(daemon):
        with open(path, "rb") as file:
            content = file.read()
        for place in range(100, len(content), len(content) // 7):
            if not content[place:place + 16].strip(b"\x00"):
                continue
            os.chmod(path, 0o644)
            with open(path, "r+b") as file:
                file.seek(place)
                file.write(bytes(byte ^ 0x55 for byte in content[place:place + 16]))
            result = shop.tillq("-d", daemon.directory, "--json", "verify", status=None)
            true(result.returncode == 1, f"{path} at {place}: exit status {result.returncode}: "
                 f"{result.stdout}{result.stderr}")
            with open(path, "wb") as file:
                file.write(content)
    same(audit(shop, daemon, 0), {"sound": True}, "put right again")


def test_a_changed_figure_is_found(shop):
    daemon = stopped_to_damage(shop)
    path = os.path.join(daemon.directory, "stock.db")
    for statement in ("UPDATE stock SET on_hand_milli = on_hand_milli + 1 WHERE sku = 'A'",
                      "UPDATE movement SET balance_milli = 0 WHERE id = 7",
                      "UPDATE document SET outcome = 2 WHERE offset = 3",
                      "DELETE FROM document_id WHERE id = 'r-9'",
                      "UPDATE dead SET state = 'dead'",
                      "UPDATE progress SET accepted = accepted - 1"):
        shutil.copy(path, path + ".good")
        change(path, statement)
        result = audit(shop, daemon, 1)
        true(not result["sound"] and result["fault"], f"{statement}: got {result}")
        shutil.move(path + ".good", path)
    same(audit(shop, daemon, 0), {"sound": True}, "put right again")


def test_a_rebuild_puts_a_changed_figure_right_and_says_so(shop):
    daemon = some_business(shop)
    daemon.stop()
    change(os.path.join(daemon.directory, "stock.db"), "UPDATE stock SET on_hand_milli = 0")
    told = json.loads(shop.tillq("-d", daemon.directory, "--json", "rebuild").stdout)
    same(told, {"equal": False, "documents": 33}, "rebuild")
    same([table["name"] for table in told["tables"] if not table["equal"]], ["stock"], "tables")
    told = json.loads(shop.tillq("-d", daemon.directory, "--json", "rebuild").stdout)
    same(told, {"equal": True}, "rebuild again")
    daemon.start()
    daemon.till().expect_stock(A="30", B="15")


def test_a_rebuild_wants_the_directory_to_itself(shop):
    daemon = some_business(shop)
    result = shop.tillq("-d", daemon.directory, "rebuild", status=1)
    true(str(daemon.process.pid) in result.stderr, f"got {result.stderr!r}, want the holder's pid")
    daemon.till().expect_stock(A="30")
