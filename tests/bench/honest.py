#!/usr/bin/env python3
"""honest: tills that sell one document at a time at random moments: honest.py HOST:PORT TILLS PER_S

Prints "ready" when all have said hello. Each line "SECONDS" on standard input makes them sell for so
long; how long the answers took is printed as an object with p50_us, p99_us and documents.
"""

import heapq
import json
import random
import selectors
import socket
import sys
import time

ANSWER_S = 60


class Till:
    def __init__(self, number, address):
        self.name = f"H{number}"
        self.seq = 0
        self.sent_at = None
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(ANSWER_S)
        self.ask({"op": "hello", "terminal": self.name, "shop": "0001"})
        self.hear()

    def ask(self, request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def hear(self):
        line = b""
        while not line.endswith(b"\n"):
            data = self.socket.recv(1 << 16)
            if not data:
                sys.exit(f"honest: {self.name}: the connection was closed")
            line += data
        reply = json.loads(line)
        if not reply["ok"]:
            sys.exit(f"honest: {self.name}: {reply}")

    def sell(self):
        document = {"type": "sale", "id": f"{self.name}-{self.seq}", "seq": self.seq,
                    "lines": [{"sku": f"S{self.seq % 50}", "qty": 2},
                              {"sku": f"S{self.seq % 31}", "qty": "0.575"}]}
        self.seq += 1
        self.sent_at = time.perf_counter()
        self.ask({"op": "put", "doc": document})


def sell_for(seconds, tills, per_s, dice):
    """Microseconds of each answer, in order of length."""
    pause_s = len(tills) / per_s
    begin = time.perf_counter()
    due = [(begin + dice.random() * pause_s, place) for place in range(len(tills))]
    heapq.heapify(due)
    took, owed = [], 0
    with selectors.DefaultSelector() as selector:
        for place, till in enumerate(tills):
            selector.register(till.socket, selectors.EVENT_READ, place)
        while due or owed:
            now = time.perf_counter()
            while due and due[0][0] <= now:
                tills[heapq.heappop(due)[1]].sell()
                owed += 1
            for key, _ in selector.select(max(0.0, due[0][0] - now) if due else ANSWER_S):
                till = tills[key.data]
                till.hear()
                heard = time.perf_counter()
                took.append((heard - till.sent_at) * 1e6)
                owed -= 1
                if heard - begin < seconds:
                    heapq.heappush(due, (heard + dice.expovariate(1 / pause_s), key.data))
    return sorted(took)


def main():
    address, count, per_s = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    tills = [Till(number, (host, int(port))) for number in range(int(count))]
    dice = random.Random(1)
    print("ready", flush=True)
    for line in sys.stdin:
        took = sell_for(float(line), tills, float(per_s), dice)
        print(json.dumps({"documents": len(took), "p50_us": took[len(took) // 2],
                          "p99_us": took[len(took) * 99 // 100]}), flush=True)


if __name__ == "__main__":
    main()
