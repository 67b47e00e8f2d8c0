"""book: what one terminal was promised, and when anybody was last promised anything."""

import threading
import time
from array import array

NOT_PROMISED, OFFSET_UNKNOWN = -2, -1
GAP_S = 0.02  # shorter silences are not remembered


class Book:
    """One terminal's promises: document numbers 0, 1, 2, … in the order they were first sent."""

    def __init__(self, terminal, with_seq=True):
        self.terminal = terminal
        self.with_seq = with_seq
        self.offsets = array("q")  # by number: the offset promised
        self.given_up = set()  # refused by name and never sent again: must be absent
        self.waiting = {}  # sent, neither promised nor given up

    @property
    def sent(self):
        return len(self.offsets)

    def next_number(self):
        self.offsets.append(NOT_PROMISED)
        number = len(self.offsets) - 1
        self.waiting[number] = True
        return number

    def promise(self, number, offset):
        """A fault in words where it was promised at another offset before."""
        before = self.offsets[number]
        self.waiting.pop(number, None)
        if before < 0 or not self.with_seq:
            self.offsets[number] = offset if before < 0 else before
        elif offset >= 0 and offset != before:
            return f"{self.terminal}-{number}: promised at {before}, then at {offset}"
        return None

    def give_up(self, number):
        self.waiting.pop(number, None)
        self.given_up.add(number)

    def promised(self):
        return sum(offset != NOT_PROMISED for offset in self.offsets)


class History:
    """When documents were acknowledged, and when the harness itself kept the daemon from it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.last = None
        self.silences = []  # (from, to)
        self.stopped = []  # (from, to), the harness's own
        self.stopped_since = None

    def acknowledged(self):
        now = time.monotonic()
        with self.lock:
            if self.last is not None and now - self.last > GAP_S:
                self.silences.append((self.last, now))
            self.last = now

    def stop(self):
        """From here on the daemon cannot answer, and that is the harness's doing."""
        with self.lock:
            if self.stopped_since is None:
                self.stopped_since = time.monotonic()

    def go_on(self):
        with self.lock:
            if self.stopped_since is not None:
                self.stopped.append((self.stopped_since, time.monotonic()))
                self.stopped_since = None

    def longest(self):
        """(seconds nobody was acknowledged without the harness's own time, when it began)."""
        with self.lock:
            lengths = [(own_part(silence, self.stopped), silence[0]) for silence in self.silences]
        return max(lengths, default=(0.0, 0.0))


def own_part(silence, stopped):
    begin, end = silence
    return end - begin - sum(max(0.0, min(end, to) - max(begin, since)) for since, to in stopped)
