"""faults: everything that is done to the daemon. Each is a function of the torture; it ends with
the fault lifted and a document acknowledged. What it finds wrong is a Failure in words."""

import os
import random
import resource
import signal
import socket
import subprocess
import time

from till import connect
from waiting import Failure, poll

TAKEN = (None,)
BACK_S = 60.0  # a machine that does other things too
SECOND_S = 60.0
MEMORY_AIR_BYTES = 1 << 20


def expect(right, what):
    if not right:
        raise Failure(what)


def back(torture, what):
    """The fault is lifted: selling must go on."""
    torture.history.go_on()
    torture.probe.wait_put(f"after {what}", TAKEN, BACK_S)


# --- ends without a word


def kill(torture):
    torture.kill()
    if torture.dice.random() < 0.3:
        torture.check_files("after kill -9")
    torture.start()


def kill_twice(torture):
    torture.kill()
    torture.start()
    time.sleep(torture.dice.random() * 0.3)
    torture.kill()
    torture.start()


def kill_while_starting(torture):
    torture.kill()
    for _ in range(torture.dice.randint(1, 4)):
        torture.history.stop()
        torture.daemon.launch()
        time.sleep(torture.dice.random() * 0.08)
        torture.daemon.kill9()
    torture.start()


def stand_still(torture):
    """Stops every thread, wherever it is; one that is inside a sync comes to its end first."""
    pid = torture.daemon.process.pid
    torture.daemon.signal(signal.SIGSTOP)

    def all_stopped():
        return all(state_of(pid, task) == "T" for task in os.listdir(f"/proc/{pid}/task"))

    poll("all threads to stand still", all_stopped)


def state_of(pid, task):
    with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]


def cut_power(torture):
    """What was not synced is gone from the file system, then the machine comes back. The daemon
    stands still before: with the power gone nobody could be told of a sync that ended after it."""
    torture.history.stop()
    stand_still(torture)
    torture.room.cut_power()
    torture.kill()
    torture.room.attach_again()
    torture.start()  # before the look: a stock file that was never synced is made anew
    if torture.dice.random() < 0.3:
        torture.check_files("after a power cut")


def stop_and_continue(torture):
    torture.history.stop()
    torture.daemon.signal(signal.SIGSTOP)
    torture.hold(torture.dice.choice([0.3, 1, 2, 6]))
    torture.daemon.signal(signal.SIGCONT)
    back(torture, "SIGCONT")


def restart(torture):
    """In order: what was read is answered, the next one starts."""
    torture.history.stop()
    status = torture.daemon.stop()
    expect(status == 0, f"SIGTERM: exit status {status}")
    torture.start()


# --- the disk


class Disk:
    """Fills the room for real, or lets the shim say so."""

    def __init__(self, torture, real, order):
        self.torture, self.real, self.order = torture, real, order

    def fill(self):
        self.torture.history.stop()
        if self.real:
            self.torture.room.fill(self.torture.dice.choice([0, 0, 64 << 10, 1 << 20]))
        else:
            self.torture.fail_write.give(self.order)

    def some_room(self):
        """For a moment, a little; not where the shim is the disk."""
        if self.real:
            self.torture.room.make_room(self.torture.dice.choice([4 << 10, 256 << 10, 4 << 20]))

    def empty(self):
        if self.real:
            self.torture.room.empty()
        else:
            self.torture.fail_write.lift()


def full(torture, disk):
    """Refused by name, nothing half done, reading goes on; room back: goes on without a restart."""
    daemon, pid = torture.daemon, torture.daemon.process.pid
    disk.fill()
    try:
        torture.probe.wait_put("disk full", ("JOURNAL_FULL",), BACK_S)
        for _ in range(torture.dice.randint(1, 3)):
            torture.hold(torture.dice.random() * 0.5)
            disk.some_room()
            torture.probe.wait_put("disk full", ("JOURNAL_FULL",), BACK_S)
            status = torture.probe.look("disk full")
            expect(status["journal"]["state"] == "full" or disk.real,
                   f"disk full: the status says {status['journal']}")
    finally:
        disk.empty()
    back(torture, "a full disk")
    expect(daemon.running() and daemon.process.pid == pid, "a full disk ended the daemon")
    torture.full_checked += 1


def disk_full(torture):
    full(torture, Disk(torture, torture.room.can_fill, "ENOSPC"))


def half_written(torture):
    """The write that finds the disk full puts down its first half."""
    full(torture, Disk(torture, False, "HALF"))


def kill_on_full_disk(torture):
    """A start on a full disk: it serves or says why not; with room it is as if nothing was."""
    disk = Disk(torture, torture.room.can_fill, "ENOSPC")
    disk.fill()
    try:
        torture.probe.wait_put("disk full", ("JOURNAL_FULL",), BACK_S)
        torture.kill()
        torture.daemon.launch()
        started = torture.started_or_ended()
        if started:
            torture.probe.look("started on a full disk")
        torture.count("start on a full disk: " + ("served" if started else "refused with a reason"))
    finally:
        disk.empty()
    if not started:
        torture.start()
    back(torture, "a start on a full disk")


def failed_for_good(torture, what):
    """Refused until a restart, even when the disk is well again; reading goes on."""
    torture.probe.wait_put(what, ("JOURNAL_FAILED",), BACK_S)
    status = torture.probe.look(what)
    expect(status["journal"]["state"] == "failed", f"{what}: the status says {status['journal']}")


def sync_fails(torture):
    torture.history.stop()
    torture.fail_sync.give()
    try:
        failed_for_good(torture, "a sync that fails")
    finally:
        torture.fail_sync.lift()
    failed_for_good(torture, "after a sync that failed")
    torture.end_somehow()
    torture.start()


def read_only(torture):
    torture.history.stop()
    if torture.room.can_cut:
        stand_still(torture)  # a sync amid this may end well and yet be lost; no disk does that
        torture.room.turn_read_only()
        torture.daemon.signal(signal.SIGCONT)
    else:
        torture.fail_write.give("EROFS")
    try:
        failed_for_good(torture, "a disk turned read-only")
        torture.hold(torture.dice.random())
        torture.end_somehow()
    finally:
        if torture.room.can_cut:
            torture.room.attach_again()
        else:
            torture.fail_write.lift()
    torture.start()


# --- what a process is given


def limited(torture, kind, now, most_s):
    """Lowers a limit of the running daemon, holds, gives it back, and sees it sell; where the
    journal lost its trust meanwhile, it needs the restart it asks for."""
    process = torture.daemon.process
    before = resource.prlimit(process.pid, kind)
    torture.history.stop()
    resource.prlimit(process.pid, kind, (min(now, before[1]), before[1]))
    try:
        torture.hold(0.2 + torture.dice.random() * most_s)
    finally:
        if process.poll() is None:
            resource.prlimit(process.pid, kind, before)
    expect(process.poll() is None, f"a limit ended the daemon: {process.returncode}")
    torture.history.go_on()
    reply = torture.probe.wait_put("after a limit", (None, "JOURNAL_FAILED"), BACK_S)
    if not reply["ok"]:
        torture.count("journal failed by a limit")
        torture.note(f"journal failed by a limit: {reply.get('message')}")
        torture.history.stop()
        torture.end_somehow()
        torture.start()


def no_descriptors(torture):
    """Connections come meanwhile and are accepted as soon as that can be."""
    open_now = len(os.listdir(f"/proc/{torture.daemon.process.pid}/fd"))
    limited(torture, resource.RLIMIT_NOFILE, open_now, 2)


def no_memory(torture):
    with open(f"/proc/{torture.daemon.process.pid}/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    limited(torture, resource.RLIMIT_AS, size + torture.dice.choice([0, 1, 8]) * MEMORY_AIR_BYTES, 2)


# --- beside it: these do not keep anybody from selling


def second_daemon(torture):
    """Must refuse and name the holder; the first one must not notice."""
    daemon = torture.daemon
    command = [torture.shop.program("tillqd"), "-d", daemon.directory, "-l", "127.0.0.1:0"]
    try:
        second = subprocess.run(command, capture_output=True, text=True, timeout=SECOND_S,
                                check=False)
    except subprocess.TimeoutExpired:
        raise Failure("a second daemon neither refused nor ended") from None
    expect(second.returncode == 1, f"a second daemon: exit status {second.returncode}")
    holder = f"process {daemon.process.pid}"
    expect(holder in second.stderr, f"a second daemon does not name {holder}: {second.stderr}")
    expect(daemon.running(), "a second daemon ended the first")


def clock_set(torture):
    torture.set_clock(torture.dice.choice([0, -3600, 3600, -86400 * 365 * 30, 86400 * 365 * 10,
                                           torture.dice.randint(-10**6, 10**6)]))


def reload(torture):
    torture.configure(segment_kib=torture.dice.choice([1024, 2048, 4096]),
                      batch_records=torture.dice.choice([16, 256, 4096]),
                      apply_documents=torture.dice.choice([1, 50, 1000]))
    torture.daemon.signal(signal.SIGHUP)


def garbage(torture):
    """Nonsense, halves of lines, lines too long; some hang up, some stay."""
    for _ in range(torture.dice.randint(1, 20)):
        try:
            client = connect(torture.address)
            client.setblocking(False)
            client.send(nonsense(torture.dice))
        except OSError:
            continue
        if torture.dice.random() < 0.5:
            client.close()
            continue
        if torture.dice.random() < 0.5:
            client.shutdown(socket.SHUT_WR)
        torture.strangers.append(client)
    while len(torture.strangers) > 60:
        torture.strangers.pop(0).close()


def nonsense(dice):
    kind = dice.randrange(6)
    if kind == 0:
        return dice.randbytes(dice.randint(1, 5000))
    if kind == 1:
        return b'{"op":"put","doc":{"type":"sale","id":"' + b"g" * dice.randint(1, 60)
    if kind == 2:
        return b"x" * (1 << 21)
    if kind == 3:
        return b"\n" * 1000 + b"{}\n" * 1000 + b"[[[[" * 500
    if kind == 4:
        return b'{"op":"stock"}\n' * 500
    return b'{"op":"fetch","topic":"stock","partition":0,"offset":0,"wait_ms":60000}\n' * 10


BESIDE = [second_daemon, clock_set, reload, garbage]
ENDS = [kill, kill_twice, kill_while_starting, restart]
SQUEEZES = [stop_and_continue, disk_full, half_written, kill_on_full_disk, sync_fails, read_only,
            no_descriptors, no_memory]


def all_for(room):
    return ENDS + SQUEEZES + BESIDE + ([cut_power] if room.can_cut else [])


def words(fault):
    return fault.__name__.replace("_", " ")


def in_rounds(dice, room, only=()):
    """Faults without end: all kinds in a random order, again and again; kills twice as often."""
    dice = random.Random(dice.random())
    often = [kill, kill_while_starting] + ([cut_power] if room.can_cut else [])
    while True:
        kinds = [fault for fault in all_for(room) + often if not only or words(fault) in only]
        dice.shuffle(kinds)
        yield from kinds
