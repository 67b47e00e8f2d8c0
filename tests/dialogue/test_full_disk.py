"""full disk: a real one, a small file system in memory: refused by name, read and applied on, and
written on when there is room again, on the same connections."""

import os
import subprocess
import tempfile

from documents import receipt, sale
from matching import same, true
from waiting import poll

MIB = 1 << 20
CONFIG = "[journal]\nreserve = 4 MiB\n"


class SmallDisk:
    """A file system of `mib` MiB mounted as `name` of the shop."""

    def __init__(self, shop, name, mib):
        self.path = shop.path(name)
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", self.path],
                       check=True, capture_output=True)
        self.fat = os.path.join(self.path, "something-else")

    def room(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave=0):
        """Something else takes all the room but `leave` bytes."""
        with open(self.fat, "ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(self.room() - leave, 1))

    def clear(self):
        os.unlink(self.fat)

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], check=True)


def can_mount():
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False,
                               capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)
        return tried.returncode == 0


def on_small_disk(shop, play, mib=16):
    """Plays on a daemon whose data lie on a small disk; verified there, since it goes with it.
    Where nothing may be mounted test_disk_failure.py says the same through a shim."""
    if not can_mount():
        return
    disk = SmallDisk(shop, "disk", mib)
    try:
        daemon = shop.daemon("disk/data", config=CONFIG)
        daemon.may_log_errors = True
        shop.leave_unverified("disk/data")
        play(disk, daemon)
        same(daemon.stop(), 0, "exit status")
        shop.tillq("-d", daemon.directory, "verify")
    finally:
        for daemon in shop.daemons:
            if daemon.running():
                daemon.kill9()
        disk.unmount()


def sell_until_full(till, first):
    """Documents one after the other until one is refused; the seq of that one."""
    seq = first
    while True:
        till.put(sale(f"s-{seq}", ("A", 1), seq=seq, note="x" * 3000))
        reply = till.reply()
        if not reply["ok"]:
            same(reply["error"], "JOURNAL_FULL", "error")
            return seq
        seq += 1


def test_a_full_disk_stops_writing_and_nothing_else(shop):
    def play(disk, daemon):
        till, other = daemon.till("T01"), daemon.till("T02")
        till.put(receipt("first", ("A", 100), seq=0), ack="applied")
        till.expect(offset=0)
        disk.fill(leave=1 * MIB)
        refused = sell_until_full(till, 1)
        status = other.ask(op="status")
        same(status["journal"]["state"], "full", "journal state")
        same(status["journal"]["reserve_bytes"], 0, "reserve")
        true(not os.path.exists(os.path.join(daemon.directory, "reserve")), "reserve still there")
        # What is journaled is applied, read and told; a re-send is recognised.
        poll("the applier to catch up", lambda: other.ask(op="status")["lag_records"] == 0)
        other.expect_stock(A=str(100 - (refused - 1)))
        same(len(other.fetch_all()), refused, "records")
        if refused > 1:
            till.put(sale("s-1", ("A", 1), seq=1, note="x" * 3000))
            till.expect(duplicate=True, offset=1)
        for one in (till, other):
            one.put(sale("refused", ("A", 1)))
            one.expect(error="JOURNAL_FULL")
        disk.clear()
        poll("writing to go on", lambda: other.ask(op="status")["journal"]["state"] == "ok")
        for seq in range(refused, refused + 20):
            till.put(sale(f"s-{seq}", ("A", 1), seq=seq), ack="applied")
            till.expect(offset=seq, outcome="accepted")
        same(other.ask(op="status")["journal"]["reserve_bytes"], 4 * MIB, "reserve again")
        same(daemon.log().count("journal_resumed"), 1, "lines about going on")

    on_small_disk(shop, play)


def test_a_start_on_a_disk_with_no_room_at_all_reads_and_refuses(shop):
    def play(disk, daemon):
        till = daemon.till("T01")
        for seq in range(5):
            till.put(receipt(f"r-{seq}", ("A", 1), seq=seq), ack="applied")
            till.expect(offset=seq)
        for kill in (True, False, True):
            if kill:
                daemon.kill9()
            else:
                same(daemon.stop(), 0, "exit status")
            disk.fill()
            same(disk.room(), 0, "room")
            daemon.start()
            till = daemon.till("T01")
            same(len(till.fetch_all()), 5, "records")
            till.expect_stock(A="5")
            till.put(receipt("r-5", ("A", 1), seq=5))
            till.expect(error="JOURNAL_FULL")
            same(till.ask(op="status")["journal"]["state"], "full", "journal state")
            disk.clear()
            poll("writing to go on", lambda: till.ask(op="status")["journal"]["state"] == "ok")
        till.put(receipt("r-5", ("A", 1), seq=5), ack="applied")
        till.expect(offset=5)

    on_small_disk(shop, play)
