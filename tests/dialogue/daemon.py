"""daemon: one running tillqd, started, stopped and killed by a dialogue."""

import os
import re
import selectors
import signal
import subprocess

from till import Till
from waiting import PATIENCE_S, Failure, deadline, poll, time_left_s

SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error: ")
REPORT_LINES = 40
ERROR_LINE = re.compile(r"^<3>.*$", re.MULTILINE)


class Daemon:
    """Starts at once and waits for the ready line.

    `config`: text of a configuration file, or None; `listen`: what -l gets, None leaves it to the
    configuration; `preload`: names of shims; `wrapper`: a command line put before the daemon's.
    """

    def __init__(self, shop, directory, config=None, listen="127.0.0.1:0", preload=(),
                 environment=None, wrapper=(), options=(), keep_descriptors=()):
        self.shop = shop
        self.directory = directory
        self.name = os.path.basename(directory)
        self.config_path = None
        self.listen = listen
        self.preload = preload
        self.environment = environment or {}
        self.wrapper = list(wrapper)
        self.options = list(options)
        self.keep_descriptors = keep_descriptors
        self.log_path = shop.path(f"{self.name}.log")
        self.process = None
        self.address = None
        self.may_log_errors = False
        if config is not None:
            self.configure(config)
        self.start()

    def configure(self, text):
        """Writes the configuration file; a running daemon reads it on reload()."""
        self.config_path = self.config_path or self.shop.path(f"{self.name}.conf")
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    # --- life

    def start(self):
        self.launch()
        return self.wait_ready()

    def launch(self):
        """Starts the process and does not wait for it."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self._environment(), pass_fds=self.keep_descriptors)

    def wait_ready(self):
        line = self._stdout_line()
        match = re.fullmatch(r"ready (\S+)\n", line)
        if not match:
            self.kill9()
            raise Failure(f"{self.name}: got {line!r}, want \"ready HOST:PORT\"\n{self.log()}")
        self.address = match.group(1)
        return self

    def said_so_far(self):
        """What lies on its standard output; does not wait and takes it away."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return os.read(self.process.stdout.fileno(), 4096) if selector.select(0) else b""

    def _command(self):
        command = self.wrapper + [self.shop.program("tillqd"), "-d", self.directory]
        if self.config_path:
            command += ["-c", self.config_path]
        if self.listen:
            command += ["-l", self.listen]
        return command + self.options

    def _environment(self):
        environment = {**self.shop.environment(), **self.environment}
        if self.preload:
            environment["LD_PRELOAD"] = " ".join(self.shop.shim(name) for name in self.preload)
        return environment

    def _stdout_line(self):
        end = deadline()
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(time_left_s(end)):
                    self.kill9()
                    raise Failure(f"{self.name}: no ready line in {PATIENCE_S:g} s\n{self.log()}")
                byte = os.read(self.process.stdout.fileno(), 1)
                if not byte:
                    break
                line += byte
        return line.decode(errors="replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.exit_status()

    def exit_status(self):
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: still running {PATIENCE_S:g} s after it was to end") \
                from None

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def restart(self, same_address=False):
        """Stops where it runs, starts again on the same directory."""
        if self.running() and self.stop() != 0:
            raise Failure(f"{self.name}: stopped with {self.process.returncode}, want 0")
        if same_address:
            self.listen = self.address
        return self.start()

    def reload(self, config):
        """Writes the configuration, sends SIGHUP and waits for a log line about it."""
        before = len(self.log())
        self.configure(config)
        self.signal(signal.SIGHUP)
        return poll("a log line about the reload", lambda: self.log()[before:])

    # --- seen from outside

    def till(self, terminal=None, address=None, **hello):
        """A connected till, after hello where a terminal is named."""
        till = Till(address or self.address, name=terminal or "till")
        self.shop.tills.append(till)
        if terminal is not None:
            till.ask(op="hello", terminal=terminal, **hello)
        return till

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def expect_log(self, words):
        """Waits until the log contains `words`."""
        poll(f"{words!r} in the log of {self.name}", lambda: words in self.log())

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            kib = next(line.split()[1] for line in file if line.startswith("VmRSS:"))
        return int(kib) * 1024

    def complaint(self):
        """What its log holds that no dialogue may leave behind; None where nothing."""
        log = self.log()
        report = SANITIZER_REPORT.search(log)
        if report:
            words = log[report.start():].splitlines()[:REPORT_LINES]
            return f"{self.name}: a sanitizer spoke:\n" + "\n".join(words)
        error = ERROR_LINE.search(log)
        if error and not self.may_log_errors:
            return f"{self.name}: logged an error nobody expected: {error.group(0)}"
        return None
