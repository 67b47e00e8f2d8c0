#!/usr/bin/env python3
"""attack: hostile clients by the thousand: attack.py HOST:PORT SHAPE CONNECTIONS

Prints "ready" when so many are connected and goes on until it is killed. The shapes:
  loris     each sends one more byte of a line without end now and then
  deaf      each asks for large fetches again and again and reads nothing
  nonsense  each sends lines that mean nothing as fast as they are taken, and reads the errors
  sales     each sends valid documents as fast as they are taken, and reads the answers
  half      each asks, closes its half, stays until it is closed, and comes again
  vanish    each connects, sends half a line and resets the connection, and comes again
"""

import json
import os
import selectors
import socket
import struct
import sys
import time

BLOCK_BYTES = 1 << 16
ROUND_S = 0.01
LORIS_S = 2.0
RESET = struct.pack("ii", 1, 0)


def fetch_line():
    return b'{"op":"fetch","topic":"stock","partition":0,"offset":0,"max":1000}\n'


class Shape:
    """One connection; `send` is called when it can be written to, `heard` when it can be read."""

    reads, writes = True, True

    def __init__(self, number, address):
        self.number = number
        self.address = address
        self.open()

    def open(self):
        self.socket = socket.create_connection(self.address)
        self.socket.setblocking(False)
        self.begin()

    def begin(self):
        """Once connected."""

    def heard(self):
        return bool(self.socket.recv(1 << 18))


class Flood(Shape):
    """Sends a block again and again, without tearing it."""

    def begin(self):
        self.block, self.at = self.next_block(), 0

    def send(self):
        self.at += self.socket.send(self.block[self.at:])
        if self.at == len(self.block):
            self.block, self.at = self.next_block(), 0


class Nonsense(Flood):
    block_of_nonsense = b'{"op":"nonsense"}\nnonsense\n{}\n\n' * (BLOCK_BYTES // 32)

    def next_block(self):
        return self.block_of_nonsense


class Sales(Flood):
    sent = 0

    def next_block(self):
        lines = []
        for _ in range(200):
            document = {"type": "sale", "id": f"{os.getpid()}-{self.number}-{self.sent}",
                        "terminal": f"X{self.number}", "shop": "0001",
                        "lines": [{"sku": f"S{self.sent % 50}", "qty": 1}]}
            lines.append(json.dumps({"op": "put", "doc": document}).encode() + b"\n")
            self.sent += 1
        return b"".join(lines)


class Deaf(Flood):
    reads = False

    def begin(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        super().begin()

    def next_block(self):
        return fetch_line() * 50


class Loris(Shape):
    writes = False
    line = b'{"op":"status","pad":"'

    def begin(self):
        self.at = 0
        self.due = time.monotonic() + LORIS_S * (self.number % 997) / 997

    def tick(self, now):
        if now >= self.due:
            self.socket.send(self.line[self.at:self.at + 1] or b"x")
            self.at += 1
            self.due += LORIS_S


class Half(Shape):
    writes = False

    def begin(self):
        self.socket.send(fetch_line() * 3)
        self.socket.shutdown(socket.SHUT_WR)


class Vanish(Shape):
    writes = False

    def begin(self):
        self.socket.send(b'{"op":"put","doc":{"type":"sale","id":"')

    def tick(self, _):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        raise ConnectionResetError


SHAPES = {"loris": Loris, "deaf": Deaf, "nonsense": Nonsense, "sales": Sales, "half": Half,
          "vanish": Vanish}


def watch(selector, client):
    wanted = (selectors.EVENT_READ if client.reads else 0) | (
        selectors.EVENT_WRITE if client.writes else 0)
    if wanted:
        selector.register(client.socket, wanted, client)


def come_again(selector, client):
    try:
        selector.unregister(client.socket)
    except KeyError:
        pass
    client.socket.close()
    try:
        client.open()
    except OSError:
        return
    watch(selector, client)


def turn(selector, clients, ticking):
    for key, events in selector.select(ROUND_S):
        client = key.data
        try:
            open_still = not events & selectors.EVENT_READ or client.heard()
            if open_still and events & selectors.EVENT_WRITE:
                client.send()
        except BlockingIOError:
            continue
        except OSError:
            open_still = False
        if not open_still:
            come_again(selector, client)
    now = time.monotonic()
    for client in clients if ticking else []:
        try:
            client.tick(now)
        except BlockingIOError:
            pass
        except OSError:
            come_again(selector, client)


def main():
    address, shape, count = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    made = SHAPES[shape]
    clients = [made(number, (host, int(port))) for number in range(int(count))]
    print("ready", flush=True)
    with selectors.DefaultSelector() as selector:
        for client in clients:
            watch(selector, client)
        while True:
            turn(selector, clients, hasattr(made, "tick"))


if __name__ == "__main__":
    main()
