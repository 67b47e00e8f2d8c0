"""hostile: how long honest terminals wait for ack journal while hostile clients do their worst.

For each shape of attack.py, and for all of them at once, rounds of the same daemon undisturbed and
disturbed in turn; the ratio is told of medians. The attackers yield the processors to everybody
else, as if they sat on machines of their own. The daemon's memory is its most in all of that."""

import json
import os
import subprocess
import sys

from figures import Figures, ratio
from house import Failure
from waiting import poll

HERE = os.path.dirname(os.path.abspath(__file__))
HONEST_TERMINALS = 8
HONEST_PER_S = 400
CROWDS = {"loris": 1.0, "deaf": 0.5, "nonsense": 0.1, "sales": 0.05, "half": 0.5, "vanish": 0.2}
SHAPES = {"loris": "a byte now and then of a line without end",
          "deaf": "large fetches again and again, nothing read",
          "nonsense": "lines that mean nothing, as fast as they are taken",
          "sales": "valid documents, as fast as they are taken",
          "half": "fetches, then half-closed, again and again",
          "vanish": "half a line, then reset, again and again",
          "all at once": "all of these"}
FILL_DOCUMENTS = 5000
RATIO_LIMIT = 3.0


class Hostile:
    """Figures by crowd: p99 undisturbed and disturbed of each round; the most memory."""

    def __init__(self, house, settings, only=None):
        self.house = house
        self.settings = settings
        self.crowds = {name: [name] for name in CROWDS}
        self.crowds["all at once"] = list(CROWDS)
        if only:
            self.crowds = {name: self.crowds[name] for name in only}
        self.figures = {name: Figures() for name in self.crowds}

    def measure(self, tell):
        connections = self.settings.hostile_connections
        config = f"[limits]\nmax_connections = {4 * connections}\n"
        for name, shapes in self.crowds.items():
            daemon, _ = self.house.daemon(config=config)
            self.house.load(daemon, "--generate", FILL_DOCUMENTS, "--no-proof", "--window", 64)
            honest = Honest(daemon.address)
            try:
                for _ in range(self.settings.hostile_rounds):
                    self._measure_round(daemon, honest, name, shapes)
            finally:
                honest.close()
            self.figures[name].add(peak_bytes=peak_bytes(daemon))
            self.house.clear(daemon)
            tell(self._line(name))

    def _measure_round(self, daemon, honest, name, shapes):
        quiet = honest.sell(self.settings.hostile_s)
        attackers = []
        try:
            for shape in shapes:
                count = max(1, round(self.settings.hostile_connections * CROWDS[shape]))
                attackers.append(program("attack", daemon.address, shape, count, yields=True))
            disturbed = honest.sell(self.settings.hostile_s)
        finally:
            for one in attackers:
                end(one)
        poll("the crowd to be gone", lambda: self._is_alone(daemon))
        self.figures[name].add(
            quiet_p50_us=quiet["p50_us"], disturbed_p50_us=disturbed["p50_us"],
            quiet_p99_us=quiet["p99_us"], disturbed_p99_us=disturbed["p99_us"])

    def _is_alone(self, daemon):
        """Nobody is connected but the honest tills and who asks. What a crowd asked for is worked
        on for a while after it."""
        return self.house.status(daemon)["connections"] <= HONEST_TERMINALS + 1

    def connections_of(self, name):
        return sum(max(1, round(self.settings.hostile_connections * CROWDS[shape]))
                   for shape in self.crowds[name])

    def ratio(self, name):
        """p99 disturbed as a multiple of undisturbed, of medians."""
        figures = self.figures[name]
        return ratio(figures["disturbed_p99_us"].median(), figures["quiet_p99_us"].median())

    def worst(self):
        return max(self.ratio(name) for name in self.crowds)

    def _line(self, name):
        figures = self.figures[name]
        return (f"  {name:11} {self.connections_of(name):6,} connections: p50 "
                f"{figures['quiet_p50_us'].median():,.0f} -> "
                f"{figures['disturbed_p50_us'].median():,.0f} µs, p99 "
                f"{figures['quiet_p99_us'].median():,.0f} -> "
                f"{figures['disturbed_p99_us'].median():,.0f} µs, {self.ratio(name):.2f} times; "
                f"at most {figures['peak_bytes'].median() / 2**20:.1f} MiB resident")


class Honest:
    """Tills that stay connected through all rounds."""

    def __init__(self, address):
        self.process = program("honest", address, HONEST_TERMINALS, HONEST_PER_S)

    def sell(self, seconds):
        self.process.stdin.write(f"{seconds}\n".encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure("honest tills ended amid their work")
        return json.loads(line)

    def close(self):
        end(self.process)


def run_when_idle():
    """Nice alone would let it finish its slice of some ms before whoever wakes up."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def program(name, *arguments, yields=False):
    """One of the programs here, once it says it is ready."""
    process = subprocess.Popen(
        [sys.executable, os.path.join(HERE, name + ".py"), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        preexec_fn=run_when_idle if yields else None)
    if process.stdout.readline() != b"ready\n":
        end(process)
        raise Failure(f"{name} {arguments}: did not connect")
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def peak_bytes(daemon):
    """The most memory it has had resident."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024
