"""rest: the daemon while nobody sells: its memory, its idle connections, its start."""

import re
import resource
import select

from drain import Drain
from figures import Figures
from house import Failure

ASKED_AGAIN = 100
DESCRIPTORS_BESIDE = 256


def memory(daemon):
    """Bytes of a daemon: resident, its proportional share, and what is its alone."""
    with open(f"/proc/{daemon.process.pid}/smaps_rollup", encoding="ascii") as file:
        kib = {name: int(value) for name, value in
               re.findall(r"^(\w+):\s+(\d+) kB", file.read(), re.MULTILINE)}
    return {"resident_bytes": kib["Rss"] * 1024, "share_bytes": kib["Pss"] * 1024,
            "private_bytes": (kib["Private_Clean"] + kib["Private_Dirty"]) * 1024}


def measure_idle(house, settings, tell):
    """Figures of a fresh daemon's memory, and of its start in an empty directory."""
    figures = Figures()
    for _ in range(settings.starts):
        daemon, ready_ms = house.daemon()
        figures.add(ready_ms=ready_ms, **memory(daemon))
        house.clear(daemon)
    tell(f"  idle: {figures['resident_bytes'].median() / 2**20:.2f} MiB resident, "
         f"{figures['private_bytes'].median() / 2**20:.2f} MiB its own; ready after "
         f"{figures['ready_ms'].median():.0f} ms")
    return figures


def measure_full_start(house, settings, tell):
    """The same on a journal in which all is applied."""
    figures = Figures()
    for _ in range(settings.starts):
        daemon, ready_ms = house.daemon(Drain.directory("even"))
        partition = house.status(daemon)["partitions"][0]
        if partition["applied"] != settings.documents:
            raise Failure(f"{partition['applied']} of {settings.documents} documents are applied")
        figures.add(ready_ms=ready_ms, **memory(daemon))
        daemon.stop()
        house.leave(daemon)
    tell(f"  with {settings.documents:,} documents: ready after "
         f"{figures['ready_ms'].median():.0f} ms, "
         f"{figures['resident_bytes'].median() / 2**20:.2f} MiB resident")
    return figures


def allow_descriptors(wanted):
    """Raises this process's limit as far as it may; how many connections fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - DESCRIPTORS_BESIDE)
    if fit < wanted:
        print(f"  only {fit} of {wanted} connections: {hard} files may be open", flush=True)
    return fit


def expect_none_closed(tills):
    """Nobody was sent anything, and nobody was hung up on."""
    poll = select.poll()
    for till in tills:
        poll.register(till.socket, select.POLLIN | select.POLLRDHUP)
    heard = poll.poll(0)
    if heard:
        raise Failure(f"{len(heard)} of {len(tills)} idle connections were closed or spoken to")


def sell(till, connections):
    """One sale that must be counted, while all the others are there."""
    till.put({"type": "sale", "id": "lone-1", "seq": 0,
              "lines": [{"sku": "6901234567892", "qty": 2}]}, ack="applied")
    till.expect(outcome="accepted")
    status = till.ask(op="status")
    if status["connections"] != connections + 1:
        raise Failure(f"{status['connections']} connections, want {connections + 1}")


def measure_connections(house, settings, tell):
    """Figures of a daemon with many connections, half of which never said a word."""
    connections = allow_descriptors(settings.connections)
    config = f"[limits]\nmax_connections = {connections + 16}\n"
    daemon, _ = house.daemon(config=config)
    before = memory(daemon)
    tills = []
    for i in range(connections):
        tills.append(daemon.till(f"T{i}" if i % 2 else None))
    during = memory(daemon)
    expect_none_closed(tills)
    sell(daemon.till("lone"), connections)
    for till in tills[:: max(1, connections // ASKED_AGAIN)]:
        till.ask(op="hello", terminal=till.name, shop="0001")
    expect_none_closed(tills)
    for till in house.shop.tills:
        till.close()
    house.shop.tills.clear()
    house.clear(daemon)
    each = (during["resident_bytes"] - before["resident_bytes"]) / connections
    figures = Figures()
    figures.add(connections=connections, each_bytes=each,
                resident_bytes=during["resident_bytes"])
    tell(f"  {connections:,} idle connections: {each / 1024:.2f} KiB each, "
         f"{during['resident_bytes'] / 2**20:.1f} MiB in all")
    return figures
