"""order: seen from the kernel, a record is written, then synced, then answered."""

import re
import shutil
import subprocess

from documents import sale
from matching import true
from waiting import Skip, poll

CALLS = "pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync"
WRITES = ("pwrite64", "pwritev", "write", "writev")
REPLIES = ("write", "writev", "sendto", "sendmsg")
SYNCS = ("fsync", "fdatasync")


def traced(shop):
    """A daemon under strace, and the path of the trace."""
    strace = shutil.which("strace")
    if not strace:
        raise Skip("strace is not installed")
    probe = subprocess.run([strace, "-f", "-o", shop.path("probe"), "true"], capture_output=True,
                           check=False)
    if probe.returncode != 0:
        raise Skip("strace cannot trace here: " + probe.stderr.decode().strip())
    trace = shop.path("trace")
    # The leak sanitizer traces its own process at exit, which strace is doing already.
    daemon = shop.daemon(
        environment={"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"},
        wrapper=[strace, "-D", "-f", "-q", "-y", "-s", "200000", "-e", "trace=" + CALLS,
                 "-o", trace])
    return daemon, trace


def calls(path):
    """(name, text) of each call in the order they ended; strace splits those interleaved."""
    begun, found = {}, []
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    for line in lines:
        match = re.match(r"(\d+) +(.*)", line)
        if not match:
            continue
        thread, text = match.groups()
        if text.endswith("<unfinished ...>"):
            begun[thread] = text
            continue
        resumed = re.match(r"<\.\.\. (\w+) resumed>", text)
        if resumed:
            text = begun.pop(thread, "") + text
        name = re.match(r"(\w+)\(", text)
        if name:
            found.append((name.group(1), text))
    return found


def places(found, names, *words):
    return [place for place, (name, text) in enumerate(found)
            if name in names and all(word in text for word in words)]


def expect_order(trace, identity, tag):
    """The last journal write with the record's id < a journal sync < the reply."""
    poll("the reply in the trace", lambda: places(calls(trace), REPLIES, tag))
    found = calls(trace)
    reply = places(found, REPLIES, tag)[0]
    writes = [place for place in places(found, WRITES, identity, "journal") if place < reply]
    true(writes, f"{identity} was answered without a write into the journal")
    syncs = [place for place in places(found, SYNCS, "journal") if writes[-1] < place < reply]
    true(syncs, f"{identity} was answered without a sync after its write:\n"
         + "\n".join(text[:160] for _, text in found[writes[-1]:reply + 1]))
    true(found[syncs[0]][1].rstrip().endswith("= 0"), "the sync failed")


def test_a_put_is_written_then_synced_then_answered(shop):
    daemon, trace = traced(shop)
    till = daemon.till("T01")
    for number in range(5):
        identity, tag = f"id-of-this-record-{number}", f"tag-of-this-reply-{number}"
        till.put(sale(identity, ("A", 1), seq=number), tag=tag)
        till.expect(offset=number)
        expect_order(trace, identity, tag)


def test_applied_produce_and_commit_are_written_then_synced_then_answered(shop):
    daemon, trace = traced(shop)
    till = daemon.till("T01")
    till.put(sale("id-of-applied", ("A", 1), seq=0), ack="applied", tag="tag-of-applied")
    till.expect(outcome="accepted")
    expect_order(trace, "id-of-applied", "tag-of-applied")
    till.send(op="produce", topic="t", value="value-of-produce", tag="tag-of-produce")
    till.expect(offset=0)
    expect_order(trace, "value-of-produce", "tag-of-produce")
    till.send(op="commit", group="group-of-commit", topic="t", partition=0, offset=1,
              tag="tag-of-commit")
    till.expect(offset=1)
    expect_order(trace, "group-of-commit", "tag-of-commit")


def test_after_a_roll_the_new_segment_is_synced_before_the_reply(shop):
    daemon, trace = traced(shop)
    till = daemon.till("T01")
    till.send(op="roll")
    till.expect(segment=1)
    till.put(sale("id-after-roll", ("A", 1), seq=0), tag="tag-after-roll")
    till.expect(offset=0)
    expect_order(trace, "id-after-roll", "tag-after-roll")
