"""probe: the harness's own till: asks one thing at a time and sees what a fault does."""

import json
import socket
import time

from book import OFFSET_UNKNOWN, Book
from sales import made
from till import connect
from waiting import Failure

ANSWER_S = 20.0
PAUSE_S = 0.01
NOTHING_WRITTEN = ("JOURNAL_FULL", "JOURNAL_BUSY")


class Probe:
    def __init__(self, torture):
        self.torture = torture
        self.book = Book("probe")
        self.socket = None
        self.received = b""
        self.uncertain = -1

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def ask(self, **request):
        """The reply; None where there was none and the connection is gone."""
        try:
            if not self.socket:
                self.socket = connect(self.torture.address)
                self.socket.settimeout(ANSWER_S)
                self.received = b""
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            while b"\n" not in self.received:
                data = self.socket.recv(1 << 20)
                if not data:
                    raise ConnectionResetError("closed")
                self.received += data
        except (OSError, socket.timeout):
            self.close()
            return None
        line, _, self.received = self.received.partition(b"\n")
        return json.loads(line)

    def put(self):
        """Puts a document; the reply, or None. One without a reply is sent again the next time."""
        number = next(iter(self.book.waiting), None)
        if number is None:
            number = self.book.next_number()
        document = {**made(self.torture.seed, "probe", number), "terminal": "probe",
                    "shop": "0001"}
        reply = self.ask(op="put", doc=document)
        if reply and reply["ok"]:
            self.book.promise(number, reply.get("offset", OFFSET_UNKNOWN))
            self.torture.history.acknowledged()
        elif reply and reply["error"] in NOTHING_WRITTEN and number != self.uncertain:
            self.book.give_up(number)  # it must never be there
        else:  # this try may have been journaled, whatever a later one is told
            self.uncertain = number
        return reply

    def wait_put(self, what, wanted, limit_s):
        """Puts until the error is one of `wanted` (None: until it is taken); the last reply."""
        end = time.monotonic() + limit_s
        while True:
            reply = self.put()
            if reply and reply.get("error") in wanted:
                return reply
            if time.monotonic() > end:
                raise Failure(f"{what}: in {limit_s:g} s no put was answered with "
                              f"{' or '.join(map(str, wanted))}; the last reply: {reply}")
            time.sleep(PAUSE_S)

    def look(self, what):
        """Reading must work: status, stock and fetch; the status."""
        status = self.ask(op="status")
        asked = {"status": status, "stock": self.ask(op="stock", limit=10),
                 "fetch": self.ask(op="fetch", topic="stock", partition=0, offset=0, max=10)}
        for name, reply in asked.items():
            if not reply or not reply["ok"]:
                raise Failure(f"{what}: {name} was answered with {reply}")
        return status
