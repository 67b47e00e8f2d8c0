"""shop: the room a dialogue is held in: a directory of its own, the programs, and the cleaning up.

After a dialogue every daemon left running must stop with 0, no log may hold an error or a
sanitizer's report nobody expected, and every data directory must pass `tillq verify`.
"""

import os
import subprocess

from daemon import Daemon
from waiting import PATIENCE_S, Failure


class Shop:
    def __init__(self, directory, build):
        self.directory = directory
        self.build = build
        self.daemons = []
        self.tills = []
        self.unverified = set()

    def path(self, name):
        return os.path.join(self.directory, name)

    def program(self, name):
        return os.path.join(self.build, name)

    def shim(self, name):
        return os.path.join(self.build, "shim", name + ".so")

    def sanitized(self):
        """True where the daemon was built with a sanitizer: its memory is not a measure then."""
        with open(self.program("tillqd"), "rb") as file:
            content = file.read()
        return b"__asan_init" in content or b"__tsan_init" in content

    def environment(self):
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")}
        # A shim comes before the sanitizer's runtime, which is fine as it only wraps system calls.
        options = [environment.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
        environment["ASAN_OPTIONS"] = ":".join(filter(None, options))
        return environment

    # --- programs

    def daemon(self, directory="data", **options):
        """A started daemon on the directory of that name."""
        started = Daemon(self, self.path(directory), **options)
        self.daemons.append(started)
        return started

    def run(self, program, *arguments, status=0, stdin=None):
        """Runs a program to its end; the exit status must be `status`, None = any."""
        command = [self.program(program), *arguments]
        result = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False,
                                timeout=PATIENCE_S * 4, env=self.environment())
        if status is not None and result.returncode != status:
            raise Failure(f"{' '.join(command)}: exit status: got {result.returncode}, "
                          f"want {status}\n{result.stdout}{result.stderr}")
        return result

    def tillqd(self, *arguments, **options):
        return self.run("tillqd", *arguments, **options)

    def tillq(self, *arguments, **options):
        return self.run("tillq", *arguments, **options)

    def leave_unverified(self, directory="data"):
        """For a dialogue that breaks the files on purpose."""
        self.unverified.add(self.path(directory))

    # --- the end

    def close(self):
        for till in self.tills:
            till.close()
        for daemon in self.daemons:
            if daemon.running() and daemon.stop() != 0:
                raise Failure(f"{daemon.name}: exit status at the end: "
                              f"got {daemon.process.returncode}, want 0")
        for daemon in self.daemons:
            complaint = daemon.complaint()
            if complaint:
                raise Failure(complaint)
        for directory in sorted({daemon.directory for daemon in self.daemons} - self.unverified):
            self.tillq("-d", directory, "verify")

    def abandon(self):
        for daemon in self.daemons:
            if daemon.running():
                daemon.kill9()
