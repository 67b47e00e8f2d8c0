"""terminals: tills that sell, lose their connection, come back, and keep a book of what they were
promised. Each is a thread with a connection of its own.

Three characters: `careful` has one document on its way and believes last_seq; `stubborn` has many
and sends again whatever was not answered; `forgetful` sends besides what was answered long ago.
One sends documents without seq: those may be journaled twice and must count once."""

import json
import random
import socket
import threading
import time
from collections import deque

from book import OFFSET_UNKNOWN, Book
from sales import SKUS, made
from till import connect

REFUSED = {"JOURNAL_FULL", "JOURNAL_FAILED", "JOURNAL_BUSY", "NO_MEMORY", "FAILED"}
AGAIN_S = 0.02  # between two tries to connect, and after a refusal
ANSWER_S = 5.0  # a till that hears nothing for so long connects anew
FORGOTTEN = 150  # documents a forgetful till sends again
ACKS = ["journal"] * 6 + ["applied"] * 2 + ["none"]

CHARACTERS = {  # window, what it sends again
    "careful": (1, "believe"),
    "stubborn": (32, "unanswered"),
    "forgetful": (8, "forgotten"),
    "nameless": (4, "unanswered"),  # without seq
}


class Lost(Exception):
    """The connection is gone, or said nothing for too long."""


class Terminal(threading.Thread):
    def __init__(self, name, character, torture):
        super().__init__(daemon=True)
        self.name = name
        self.torture = torture
        self.window, self.again = CHARACTERS[character]
        self.book = Book(name, with_seq=character != "nameless")
        self.dice = random.Random(f"{torture.seed}/{name}")
        self.socket = None
        self.received = bytearray()
        self.asked = deque()  # (what, number) owed on this connection
        self.to_send = deque()  # numbers to send again
        self.silent = set()  # sent on this connection with ack none
        self.again_of = set()  # numbers ever sent so: once is enough
        self.life = 0  # counts its connections
        self.last_applied = (0, -1)  # connection, highest offset known to be applied
        self.reconnects = 0
        self.refused = 0

    def run(self):
        while not self.finished():
            try:
                self._connect()
                while not self.finished():
                    self._turn()
            except (OSError, Lost):
                self.reconnects += 1
            except Exception as error:  # a bug of the harness must not pass for silence
                self.torture.breach(f"{self.name}: {type(error).__name__}: {error}")
                return
            finally:
                if self.socket:
                    self.socket.close()
                    self.socket = None
            self.torture.over.wait(AGAIN_S)

    def finished(self):
        """Over, and everything it sent is answered; or nobody waits for that any more."""
        if self.torture.abandoned.is_set():
            return True
        return self.torture.over.is_set() and not self.book.waiting

    # --- the conversation

    def _connect(self):
        self.received.clear()
        self.asked.clear()
        self.silent.clear()
        self.life += 1
        self.last_applied = (self.life, -1)
        self.socket = connect(self.torture.address)
        self.socket.settimeout(ANSWER_S)
        self._send([{"op": "hello", "terminal": self.name, "shop": "0001"}])
        reply = self._reply()
        if not reply["ok"]:
            raise Lost(reply.get("error"))
        again = sorted(self.book.waiting)
        if self.again == "believe":
            for number in [n for n in again if n <= reply["last_seq"]]:
                self._promise(number, OFFSET_UNKNOWN)
            again = [n for n in again if n > reply["last_seq"]]
        elif self.again == "forgotten":
            again = sorted(set(range(max(0, self.book.sent - FORGOTTEN), self.book.sent))
                           - self.book.given_up)
        self.to_send = deque(again)

    def _turn(self):
        """Fills the window, hears what it is owed, rests."""
        requests = []
        while len(self.asked) < self.window:
            if not self.to_send and self.torture.over.is_set():
                break
            number = self.to_send.popleft() if self.to_send else self.book.next_number()
            requests.append(self._put(number))
        if self.dice.random() < 0.05:
            requests.append({"op": "stock", "sku": f"S{self.dice.randrange(SKUS):02d}"})
            self.asked.append(("stock", None))
        self._send(requests)
        while self.asked:
            self._hear(*self.asked.popleft())
        self.to_send.extend(sorted(self.silent))
        self.silent.clear()
        self.torture.pace(self.dice, len(requests))

    def _put(self, number):
        """The request. One that asks for no answer is sent again in the next turn, with one."""
        document = made(self.torture.seed, self.name, number, self.book.with_seq)
        ack = self.dice.choice(ACKS)
        if ack == "none" and self.window > 1 and self.book.with_seq and number not in self.again_of:
            self.silent.add(number)
            self.again_of.add(number)
        else:
            ack = "journal" if ack == "none" else ack
            self.asked.append((ack, number))
        return {"op": "put", "doc": document, "ack": ack}

    def _hear(self, what, number):
        reply = self._reply()
        while not reply["ok"] and reply.get("seq", -1) in self.silent and reply["seq"] != number:
            reply = self._reply()  # a silent one was refused; it is sent again anyway
        if what == "stock":
            self._hear_stock(reply)
        elif reply["ok"] or reply["error"] == "APPLIER_FAILED":
            self._hear_promise(what, number, reply)
        elif reply["error"] in REFUSED:
            self.refused += 1
            self.to_send.append(number)
            self.torture.over.wait(AGAIN_S)
        else:
            self.torture.breach(f"{self.name}-{number}: {reply}")

    def _hear_promise(self, what, number, reply):
        if "warning" in reply:
            self.torture.breach(f"{self.name}-{number}: {reply}")
        self._promise(number, reply.get("offset", OFFSET_UNKNOWN))
        if what == "applied" and reply["ok"]:
            if reply["outcome"] not in ("accepted", "duplicate"):
                self.torture.breach(f"{self.name}-{number}: {reply}")
            self.last_applied = (self.life, max(reply.get("offset", -1), self.last_applied[1]))

    def _hear_stock(self, reply):
        """The figures hold what this terminal was told is applied, on this connection."""
        if not reply["ok"]:
            return
        life, offset = self.last_applied
        if life == self.life and reply["applied"] and reply["applied"][0] <= offset:
            self.torture.breach(f"{self.name}: stock below {reply['applied']} after {offset} was "
                                "said to be applied")

    def _promise(self, number, offset):
        fault = self.book.promise(number, offset)
        if fault:
            self.torture.breach(fault)
        self.torture.history.acknowledged()

    def _send(self, requests):
        data = b"".join(json.dumps(request, separators=(",", ":")).encode() + b"\n"
                        for request in requests)
        self.socket.sendall(data)

    def _reply(self):
        while (place := self.received.find(b"\n")) < 0:
            try:
                data = self.socket.recv(1 << 16)
            except socket.timeout:
                raise Lost("nothing came") from None
            if not data:
                raise Lost("closed")
            self.received += data
            if self.torture.abandoned.is_set():
                raise Lost("the end")
        line = bytes(self.received[:place])
        del self.received[:place + 1]
        return json.loads(line)
