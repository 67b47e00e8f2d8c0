"""till: a terminal's end of the line. Dialogues send lines and say what they expect back.

    till = daemon.till("T01")                      # connects and says hello
    till.put(sale("T01-1", ("6901234567892", 2)))
    till.expect(offset=0)
    till.send(b'{"op":')                           # raw bytes go as they are, with LF
    till.expect(error="BAD_JSON")
"""

import json
import socket

from matching import difference, show
from waiting import Failure, deadline, poll, time_left_s

READ_BYTES = 1 << 18


def connect(address):
    """A connected socket to "HOST:PORT", "[V6]:PORT" or "unix:/PATH"."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address[len("unix:"):])
        return connection
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host.strip("[]"), int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Till:
    def __init__(self, address, name="till"):
        self.name = name
        self.socket = connect(address)
        self.received = bytearray()

    # --- sending

    def send(self, request=None, **fields):
        """Sends one line: bytes as they are, an object as JSON, or keywords as an object."""
        if isinstance(request, bytes):
            line = request
        else:
            line = encode({**(request or {}), **fields})
        self.send_bytes(line + b"\n")

    def send_bytes(self, data):
        """Exactly these bytes, no LF added."""
        self.socket.settimeout(time_left_s(deadline()))
        self.socket.sendall(data)

    def put(self, document, ack=None, **fields):
        request = {"op": "put", "doc": document}
        if ack is not None:
            request["ack"] = ack
        self.send(request, **fields)

    def stop_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    # --- hearing

    def reply_line(self):
        """The next line as bytes, without LF; None where the daemon has closed."""
        end, looked = deadline(), 0
        while (place := self.received.find(b"\n", looked)) < 0:
            looked = len(self.received)
            if not self._receive(time_left_s(end)):
                if self.received:
                    half = bytes(self.received[:200])
                    raise Failure(f"{self.name}: half a line, then closed: {half!r}")
                return None
        line = bytes(self.received[:place])
        del self.received[:place + 1]
        return line

    def reply(self):
        line = self.reply_line()
        if line is None:
            raise Failure(f"{self.name}: the daemon closed the connection, want a reply")
        try:
            return json.loads(line)
        except ValueError as error:
            raise Failure(f"{self.name}: not JSON ({error}): {line[:300]!r}") from None

    def expect(self, **wanted):
        """The next reply must match; ok is true unless an error is wanted. Returns the reply."""
        wanted.setdefault("ok", "error" not in wanted)
        reply = self.reply()
        found = difference(reply, wanted)
        if found:
            raise Failure(f"{self.name}: {found}\n   got: {show(reply)}\n  want: {show(wanted)}")
        return reply

    def expect_closed(self):
        line = self.reply_line()
        if line is not None:
            raise Failure(f"{self.name}: got {line[:300]!r}, want the connection closed")

    def nothing_came(self):
        """True where no byte of a reply is here yet. Does not wait."""
        self.socket.setblocking(False)
        try:
            self.received += self.socket.recv(READ_BYTES)
        except BlockingIOError:
            pass
        return not self.received

    def _receive(self, patience_s):
        self.socket.settimeout(max(patience_s, 0.001))
        try:
            data = self.socket.recv(READ_BYTES)
        except TimeoutError:
            raise Failure(f"{self.name}: no reply came in time") from None
        except ConnectionResetError:
            data = b""
        self.received += data
        return bool(data)

    # --- small questions

    def ask(self, request=None, **fields):
        """Sends and returns the reply, which must be ok."""
        self.send(request, **fields)
        return self.expect()

    def on_hand(self, *skus, **where):
        """{sku: on hand} of the skus that have a row."""
        rows = self.ask(op="stock", skus=list(skus), **where)["stock"]
        return {row["sku"]: row["on_hand"] for row in rows}

    def expect_stock(self, **wanted):
        """Waits until all is applied, then compares on hand by sku."""
        self.settle()
        got = self.on_hand(*wanted)
        if got != wanted:
            raise Failure(f"{self.name}: stock: got {show(got)}, want {show(wanted)}")

    def partition(self, topic="stock"):
        """The status entry of one topic's partition 0, None where the topic is not there."""
        for entry in self.ask(op="status")["partitions"]:
            if entry["topic"] == topic and entry["partition"] == 0:
                return entry
        return None

    def settle(self):
        """Waits until every document journaled so far is in the figures."""

        def applied():
            entry = self.partition()
            return entry is None or entry["applied"] == entry["end"]

        poll("the applier to catch up", applied)

    def fetch_all(self, topic="stock"):
        """All records of a topic, from start to end."""
        records, offset = [], 0
        while True:
            reply = self.ask(op="fetch", topic=topic, partition=0, offset=offset, max=1000)
            records += reply["records"]
            offset = records[-1]["offset"] + 1 if records else reply["end"]
            if offset >= reply["end"]:
                return records


def encode(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
