"""waiting: every wait of a dialogue ends with what was waited for or with a failure that names it.

No dialogue sleeps for an event and none asserts on a duration. PATIENCE_S is how long the slowest
machine may take for one step; raise it with TILLQ_TEST_PATIENCE_S for valgrind and the like.
"""

import os
import time

PATIENCE_S = float(os.environ.get("TILLQ_TEST_PATIENCE_S", "30"))
PAUSE_S = 0.005


class Failure(Exception):
    """What a dialogue found wrong, in words."""


class Skip(Exception):
    """Why a dialogue cannot be held on this machine."""


def deadline():
    return time.monotonic() + PATIENCE_S


def time_left_s(end):
    return max(0.0, end - time.monotonic())


def poll(what, probe):
    """Calls `probe` until it gives something true and returns that; fails naming `what`."""
    end = deadline()
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise Failure(f"waited {PATIENCE_S:g} s in vain for: {what}")
        time.sleep(PAUSE_S)
