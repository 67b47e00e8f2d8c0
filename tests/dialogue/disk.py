"""disk: a daemon whose disk hangs, is full or is broken on order (see tests/shim)."""

import os

from waiting import poll


class Order:
    """A file whose being there is the order a shim obeys."""

    def __init__(self, path):
        self.path = path

    def give(self, text=""):
        with open(self.path, "w", encoding="ascii") as file:
            file.write(text)

    def lift(self):
        os.unlink(self.path)

    def held(self):
        """How many syncs have been made to wait so far."""
        try:
            return os.path.getsize(self.path + ".held")
        except FileNotFoundError:
            return 0

    def wait_held(self, more_than=0):
        poll("a sync to be held", lambda: self.held() > more_than)


class Disk:
    """The orders for one daemon, and how it is started under them."""

    def __init__(self, shop, files="journal"):
        self.hold_sync = Order(shop.path("hold-sync"))
        self.fail_sync = Order(shop.path("fail-sync"))
        self.fail_write = Order(shop.path("fail-write"))
        self.files = files

    def options(self):
        """For Shop.daemon(**options)."""
        return {"preload": ["hold_sync", "fail_disk"], "environment": {
            "TILLQ_HOLD_SYNC": self.hold_sync.path, "TILLQ_FAIL_SYNC": self.fail_sync.path,
            "TILLQ_FAIL_WRITE": self.fail_write.path, "TILLQ_SHIM_PATH": self.files}}
