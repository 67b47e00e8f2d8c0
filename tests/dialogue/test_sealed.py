"""sealed: what lies before the active segment is never written again."""

import os
import signal

from disk import Disk
from documents import receipt
from matching import same, true
from waiting import poll


def segment(daemon, number):
    return os.path.join(daemon.directory, "journal", f"{number:010}.db")


def rolled(shop, directory):
    """A daemon whose segment 0 is sealed, with a record in it and one after it."""
    daemon = shop.daemon(directory)
    till = daemon.till("T01")
    till.put(receipt("x-0", ("A", 1), seq=0))
    till.expect(offset=0)
    till.send(op="roll")
    till.expect(segment=1)
    poll("segment 0 to be sealed", lambda: not os.stat(segment(daemon, 0)).st_mode & 0o200)
    till.put(receipt("x-1", ("A", 1), seq=1))
    till.expect(offset=1)
    return daemon


def test_a_sync_that_fails_in_a_roll_is_final_and_nothing_acknowledged_is_lost(shop):
    disk = Disk(shop, files="0000000001.db-wal")
    daemon = shop.daemon(**disk.options())
    daemon.may_log_errors = True
    till = daemon.till("T01")
    till.put(receipt("x-0", ("A", 1), seq=0))
    till.expect(offset=0)
    disk.fail_sync.give()
    till.send(op="roll")
    till.expect(ok=False)
    same(till.ask(op="status")["counters"].get("roll_disk"), 1, "roll_disk")
    till.put(receipt("x-1", ("A", 1), seq=1))
    till.expect(error="JOURNAL_FAILED")
    disk.fail_sync.lift()
    daemon.kill9()
    daemon.restart()
    till = daemon.till("T01")
    same(till.partition()["end"], 1, "end")
    till.put(receipt("x-1", ("A", 1), seq=1))
    till.expect(offset=1)
    till.expect_stock(A="2")


def test_a_hang_up_before_ready_is_ignored(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(2000):
        till.put(receipt(f"x-{number}", *[(f"sku-{line}", 1) for line in range(10)], seq=number))
    for number in range(2000):
        till.expect(offset=number)
    same(daemon.stop(), 0, "exit status")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(daemon.directory + "/stock.db" + suffix):
            os.unlink(daemon.directory + "/stock.db" + suffix)
    before = len(daemon.log())
    daemon.launch()
    poll("the daemon to have begun", lambda: "listening on" in daemon.log()[before:])
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
    daemon.wait_ready()
    daemon.till("T01").expect_stock(**{"sku-3": "2000"})
