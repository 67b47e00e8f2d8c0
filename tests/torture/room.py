"""room: the disk the daemon works on, and what can be done to it.

`Loop`, an ext4 of its own in a file, needs root: it can be filled, turned read-only and have its
power cut (what was not synced is gone). `Memory`, a tmpfs, can be filled. `Plain` is a directory
where a shim plays the full and the read-only disk. All are mounted where only this process and its
children see them, and go with it."""

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH
IMAGE_BYTES = 8 << 30  # sparse
MEMORY_BYTES = 1 << 30
UNMOUNT_TRIES = 100
FILL_TRIES = 50
ALONE = "TILLQ_TORTURE_ALONE"


def enter_namespace():
    """Starts this program again where its mounts are its own; goes on where that is not allowed."""
    if ALONE in os.environ or not shutil.which("unshare"):
        return
    for flags in ["-m"], ["-Urm"]:
        if subprocess.run(["unshare", *flags, "true"], capture_output=True,
                          check=False).returncode == 0:
            os.environ[ALONE] = "1"
            os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Plain:
    name = "a directory; shims play the full and the read-only disk"
    can_fill = can_cut = False

    def __init__(self, base):
        self.path = tempfile.mkdtemp(prefix="room-", dir=base)

    def leave(self):
        """Nothing is mounted."""


class Memory:
    """A tmpfs: it is filled with a file of ballast and emptied by taking that away."""
    name = "a tmpfs"
    can_fill, can_cut = True, False

    def __init__(self, base):
        self.path = tempfile.mkdtemp(prefix="room-", dir=base)
        self.ballast = os.path.join(self.path, "ballast")
        self.mount()

    def mount(self):
        made = run("mount", "-t", "tmpfs", "-o", f"size={MEMORY_BYTES}", "tmpfs", self.path)
        if made.returncode != 0:
            raise OSError(made.stderr.strip())

    def leave(self):
        run("umount", "--lazy", self.path)

    def fill(self, leave_bytes):
        with open(self.ballast, "ab") as file:
            for _ in range(FILL_TRIES):  # the daemon takes room meanwhile, then all is refused
                room = os.statvfs(self.path)
                take = room.f_bavail * room.f_frsize - leave_bytes
                try:
                    if take > 0:
                        os.posix_fallocate(file.fileno(), os.path.getsize(self.ballast), take)
                    return
                except OSError:
                    pass

    def make_room(self, room_bytes):
        """A little room comes back, as where somebody deletes a file."""
        size = os.path.getsize(self.ballast)
        os.truncate(self.ballast, max(0, size - room_bytes))

    def empty(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)
            place = os.open(self.path, os.O_RDONLY)
            os.fsync(place)  # or the next power cut would bring it back
            os.close(place)


class Loop(Memory):
    name = "an ext4 of its own in a file"
    can_cut = True

    def mount(self):
        self.image = self.path + ".image"
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_BYTES)
        made = run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1", self.image)
        if made.returncode != 0:
            raise OSError(made.stderr.strip())
        self.attach()

    def attach(self):
        made = run("mount", "-o", "loop", self.image, self.path)
        if made.returncode != 0:
            raise OSError(made.stderr.strip())

    def cut_power(self):
        """Nothing that is not synced will ever be there."""
        place = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(place)

    def turn_read_only(self):
        """As the kernel does where it finds the file system damaged: with files open for write."""
        made = run("mount", "-o", "remount,abort", self.path)
        if made.returncode != 0:
            raise OSError(made.stderr.strip())

    def attach_again(self):
        """After the power came back; nobody may have a file open."""
        for _ in range(UNMOUNT_TRIES):
            if run("umount", self.path).returncode == 0:
                break
            time.sleep(0.05)  # a killed process's files are closed a moment later
        self.attach()


def best_room(base, kind):
    """The room asked for; with None the first that can be had."""
    rooms = {"loop": Loop, "memory": Memory, "plain": Plain}
    for name in [kind] if kind else rooms:
        try:
            return rooms[name](base)
        except OSError as error:
            if kind:
                raise
            print(f"no {name} room here: {error}", flush=True)
    raise OSError("no room at all")
