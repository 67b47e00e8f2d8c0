"""recovery: starting on files that are damaged, lost, older or not ours."""

import glob
import os
import shutil
import sqlite3

from documents import receipt
from matching import same, true


def stopped(shop, count=10):
    """A daemon that has journaled `count` receipts of one A each, a roll between, and stopped."""
    daemon = shop.daemon()
    put(daemon, 0, count)
    daemon.stop()
    return daemon


def put(daemon, first, count):
    till = daemon.till("T01")
    for number in range(first, first + count):
        till.put(receipt(f"r-{number}", ("A", 1), seq=number), ack="applied")
        till.expect()
        if number == first + count // 2:
            till.ask(op="roll")
    till.close()


def segments(daemon):
    return sorted(glob.glob(os.path.join(daemon.directory, "journal", "*.db")))


def overwrite(path, content):
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(content)


def refuses_to_start(shop, daemon, *words):
    """Exits 1, says why, and leaves every file of the journal as it was."""
    shop.leave_unverified()
    before = {path: open(path, "rb").read() for path in segments(daemon)}
    result = shop.tillqd("-d", daemon.directory, "-l", "127.0.0.1:0", status=1)
    for word in words:
        true(word in result.stderr, f"got {result.stderr!r}, want {word!r} in it")
    for path, content in before.items():
        with open(path, "rb") as file:
            true(file.read() == content, f"{path} was changed")
    same(segments(daemon), sorted(before), "segments")


def test_a_stock_file_of_garbage_is_set_aside_and_made_again(shop):
    daemon = stopped(shop)
    path = os.path.join(daemon.directory, "stock.db")
    overwrite(path, b"this is no database" * 1000)
    daemon.may_log_errors = True
    daemon.start()
    daemon.till().expect_stock(A="10")
    aside = [name for name in os.listdir(daemon.directory) if "aside" in name]
    true(aside, "the garbage was thrown away instead of set aside")
    daemon.expect_log("stock.db")


def test_a_truncated_stock_file_is_made_again(shop):
    daemon = stopped(shop)
    os.truncate(os.path.join(daemon.directory, "stock.db"), 4096)
    daemon.may_log_errors = True
    daemon.start()
    daemon.till().expect_stock(A="10")


def test_an_empty_stock_file_is_made_again(shop):
    daemon = stopped(shop)
    os.truncate(os.path.join(daemon.directory, "stock.db"), 0)
    daemon.start()
    daemon.till().expect_stock(A="10")


def test_a_stock_file_of_another_form_is_set_aside_and_made_again(shop):
    daemon = stopped(shop)
    path = os.path.join(daemon.directory, "stock.db")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE format SET version = version + 1")
    database.close()
    daemon.start()
    daemon.till().expect_stock(A="10")


def test_a_journal_of_an_older_copy_says_what_it_has_lost(shop):
    daemon = stopped(shop)
    daemon.may_log_errors = True
    older = shop.path("older")
    shutil.copytree(os.path.join(daemon.directory, "journal"), older)
    daemon.start()
    put(daemon, 10, 10)
    daemon.till().expect_stock(A="20")
    daemon.stop()
    shutil.rmtree(os.path.join(daemon.directory, "journal"))
    shutil.copytree(older, os.path.join(daemon.directory, "journal"))
    daemon.start()
    till = daemon.till("T01")
    till.expect_stock(A="10")
    same([(hole["first"], hole["last"]) for hole in till.ask(op="status")["lost"]], [(10, 19)], "lost")
    till.put(receipt("next", ("A", 1)), ack="applied")
    till.expect(offset=20)
    till.expect_stock(A="11")


def test_an_older_stock_file_catches_up(shop):
    daemon = stopped(shop)
    shutil.copy(os.path.join(daemon.directory, "stock.db"), shop.path("older"))
    daemon.start()
    put(daemon, 10, 10)
    daemon.stop()
    for path in glob.glob(os.path.join(daemon.directory, "stock.db*")):
        os.unlink(path)
    shutil.copy(shop.path("older"), os.path.join(daemon.directory, "stock.db"))
    daemon.start()
    daemon.till().expect_stock(A="20")


def test_an_active_segment_of_a_later_form_is_named_and_kept(shop):
    daemon = stopped(shop)
    active = segments(daemon)[-1]
    with sqlite3.connect(active) as database:
        database.execute("UPDATE tillq_format SET version = version + 1")
    database.close()
    refuses_to_start(shop, daemon, os.path.basename(active))


def test_a_roll_that_was_cut_short_is_as_if_it_had_not_begun(shop):
    daemon = stopped(shop)
    with open(os.path.join(daemon.directory, "journal", "0000000002.db"), "wb"):
        pass
    daemon.start()
    daemon.expect_log("<5>roll_undone: ")
    till = daemon.till("T01")
    same(len(till.fetch_all()), 10, "records")
    till.put(receipt("r-10", ("A", 1), seq=10))
    till.expect(offset=10)
    till.expect_stock(A="11")


def test_a_copy_of_the_directory_is_a_whole_shop(shop):
    daemon = stopped(shop)
    shutil.copytree(daemon.directory, shop.path("copy"))
    copy = shop.daemon("copy")
    put(copy, 10, 5)
    copy.till().expect_stock(A="15")
    daemon.start()
    daemon.till().expect_stock(A="10")


def test_strange_files_in_the_directory_do_no_harm(shop):
    daemon = stopped(shop)
    for name in ("README", "journal/notes.txt", "journal/0000000000.db.bak", "journal/x.db",
                 "stock.db.old"):
        with open(os.path.join(daemon.directory, name), "w", encoding="utf-8") as file:
            file.write("a person left this here")
    daemon.start()
    till = daemon.till("T01")
    same(len(till.fetch_all()), 10, "records")
    till.expect_stock(A="10")
    till.ask(op="roll")
