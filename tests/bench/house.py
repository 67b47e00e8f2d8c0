"""house: the programs that are measured, where they work, and what machine they work on."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, "dialogue"))

from shop import Shop  # noqa: E402  (the dialogues' own: a daemon is a daemon)
from waiting import Failure  # noqa: E402

NOT_A_DISK = ("tmpfs", "ramfs")
PROGRAM_LIMIT_S = 3600


class House:
    """A directory on a real disk, the built programs, and one daemon at a time."""

    def __init__(self, build, directory):
        os.makedirs(directory, exist_ok=True)
        self.build = os.path.abspath(build)
        self.directory = tempfile.mkdtemp(prefix="bench-", dir=directory)
        self.shop = Shop(self.directory, self.build)
        self.rooms = 0

    def close(self):
        self.shop.abandon()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    # --- programs

    def bench(self, program, *arguments, preload=()):
        """Runs build/bench/PROGRAM to its end; what it printed."""
        environment = self.shop.environment()
        if preload:
            environment["LD_PRELOAD"] = " ".join(self.shop.shim(name) for name in preload)
        command = [os.path.join(self.build, "bench", program), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False,
                                timeout=PROGRAM_LIMIT_S, env=environment)
        if result.returncode != 0:
            raise Failure(f"{program} {arguments[0]}: exit status {result.returncode}\n"
                          f"{result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def load(self, daemon, *arguments):
        """Runs tillq load to its end; what it printed. Its proof must hold."""
        result = self.shop.tillq("-s", daemon.address, "load", "--json", *map(str, arguments),
                                 status=None)
        if result.returncode != 0:
            raise Failure(f"load {' '.join(map(str, arguments))}: exit status "
                          f"{result.returncode}\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def status(self, daemon):
        return json.loads(self.shop.tillq("-s", daemon.address, "status", "--json").stdout)

    # --- daemons

    def daemon(self, directory=None, **options):
        """(a started daemon, milliseconds until it said it was ready); in an empty directory of
        its own where none is named."""
        if directory is None:
            self.rooms += 1
            directory = f"room-{self.rooms}"
        began = time.monotonic()
        daemon = self.shop.daemon(directory, **options)
        return daemon, (time.monotonic() - began) * 1000

    def clear(self, daemon):
        """Ends a daemon and its directory."""
        self.leave(daemon)
        shutil.rmtree(daemon.directory)

    def leave(self, daemon):
        daemon.kill9()
        self.shop.daemons.remove(daemon)


# --- the machine, without its name


def mount_of(directory):
    """(device number "MAJOR:MINOR", type) of the file system a directory lies on."""
    directory = os.path.realpath(directory)
    best = ("", "", "")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            device, mount_point = before.split()[2], before.split()[4]
            inside = directory == mount_point or directory.startswith(mount_point.rstrip("/") + "/")
            if inside and len(mount_point) >= len(best[0]):
                best = (mount_point, device, after.split()[0])
    return best[1], best[2]


def disk_type(device):
    """What kind of disk a device number is, as far as the kernel tells."""
    block = os.path.realpath(f"/sys/dev/block/{device}")
    if not os.path.isdir(block):
        return "unknown disk"
    if not os.path.isdir(os.path.join(block, "queue")):
        block = os.path.dirname(block)  # of a partition
    name = os.path.basename(block)
    kinds = {"vd": "virtio disk", "nvme": "NVMe disk", "sd": "SCSI or SATA disk", "dm": "mapped disk",
             "md": "RAID", "mmcblk": "memory card", "xvd": "Xen disk"}
    kind = next((kind for start, kind in kinds.items() if name.startswith(start)), "disk")
    try:
        with open(os.path.join(block, "queue", "rotational"), encoding="ascii") as file:
            turning = file.read().strip() == "1"
    except OSError:
        return kind
    return f"{kind} ({'reported as turning' if turning else 'reported as not turning'})"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        match = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    return match.group(1) if match else platform.machine()


def machine_line(directory, sqlite_version):
    device, file_system = mount_of(directory)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(file.readline().split()[1])
    return (f"{os.cpu_count()} cores ({processor()}), {memory_kib / 2**20:.0f} GiB memory, "
            f"Linux {platform.release()}, {file_system} on a {disk_type(device)}, "
            f"SQLite {sqlite_version}, {time.strftime('%Y-%m-%d', time.gmtime())}")
