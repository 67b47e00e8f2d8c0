"""report: everything that was measured as docs/benchmarks.md, and the floors it is held against."""

from drain import SPREADS
from figures import (count, decimal, kibibytes, mebibytes, microseconds, milliseconds, ratio,
                     share)
from hostile import HONEST_PER_S, HONEST_TERMINALS, RATIO_LIMIT, SHAPES
from tills import ONE_AT_A_TIME, PIPELINED

IDLE_LIMIT_BYTES = 8_000_000
CONNECTION_LIMIT_BYTES = 4096
LONE_LIMIT = 2.0
CROWD_LIMIT = 5.0
APPLIER_LIMIT = 0.4
HOT_LIMIT = 1.0

SPREAD_WORDS = {"even": "every item as likely", "hot": "the same, one item in every second receipt",
                "shop": "few items sell most (Zipf)"}


def floors(results):
    """(what, measured, met) of each floor. Information: nothing fails on a slow machine."""
    lone = results.tills.cells[(1, ONE_AT_A_TIME)]["times_bare"].median()
    crowd = results.tills.of_one((64, ONE_AT_A_TIME)).median()
    applier = min(results.drain.spreads[spread]["of_bare"].median() for spread in SPREADS)
    idle = results.idle["resident_bytes"].median()
    hot = results.drain.hot_of_even["documents"].median()
    each = results.connections["each_bytes"].median()
    number = results.connections["connections"].median()
    return [
        (f"a lone terminal's p50 is at most {LONE_LIMIT:g} x (fdatasync + loopback round trip)",
         f"{lone:.2f} x", lone <= LONE_LIMIT),
        (f"64 terminals, one document at a time each, make at least {CROWD_LIMIT:g} x one's "
         "documents/s", f"{crowd:.2f} x", crowd >= CROWD_LIMIT),
        (f"the applier reaches at least {APPLIER_LIMIT:g} of bare SQLite writing the same rows "
         "(worst spread)", f"{applier:.2f}", applier >= APPLIER_LIMIT),
        ("idle, the daemon has at most 8 MB resident", f"{idle / 1e6:.2f} MB",
         idle <= IDLE_LIMIT_BYTES),
        ("an item in every second receipt is applied no slower than items spread evenly",
         f"{hot:.2f} x", hot >= HOT_LIMIT),
        (f"each of {number:,} idle connections takes less than 4 KiB", kibibytes(each),
         each < CONNECTION_LIMIT_BYTES),
        (f"honest terminals' p99 among hostile clients is at most {RATIO_LIMIT:g} x undisturbed "
         "(worst crowd)", f"{results.hostile.worst():.2f} x",
         results.hostile.worst() <= RATIO_LIMIT),
    ]


def table(heads, rows):
    """A Markdown table; every column but the first to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def limits_table(limits, receipt_bytes):
    rows = [[f"append {receipt_bytes} bytes + fdatasync", "sync"],
            ["TCP round trip on loopback, one line each way", "loopback"]]
    return table(["limit", "a second", "p50", "p99"], [
        [words, limits[f"{name}_per_s"].text(count), limits[f"{name}_p50_us"].text(microseconds),
         limits[f"{name}_p99_us"].text(microseconds)] for words, name in rows])


def tills_table(tills, window):
    heads = ["terminals", "documents/s", "p50", "p99", "commits/s", "documents a commit",
             "of fdatasync", "bare SQLite, as many rows a commit", "of bare SQLite"]
    rows = [[str(cell[0]), figures["documents_per_s"].text(count),
             figures["p50_us"].text(microseconds), figures["p99_us"].text(microseconds),
             count(figures["commits_per_s"].median()), decimal(figures["rows_per_commit"].median()),
             share(figures["of_sync"].median()), count(figures["sqlite_per_s"].median()) + "/s",
             figures["of_sqlite"].text(share)]
            for cell, figures in tills.cells.items() if cell[1] == window]
    return table(heads, rows)


def slow_table(slow):
    heads = ["terminals", "documents/s", "p50", "p99", "documents a commit",
             "p50 of slow fdatasync + round trip", "times one terminal's documents/s"]
    rows = [[str(cell[0]), figures["documents_per_s"].text(count),
             figures["p50_us"].text(microseconds), figures["p99_us"].text(microseconds),
             decimal(figures["rows_per_commit"].median()), figures["times_bare"].text(share),
             slow.of_one(cell).text(share)]
            for cell, figures in slow.cells.items()]
    return table(heads, rows)


def drain_table(drain):
    heads = ["items", "documents/s", "lines/s", "bare SQLite, same rows: documents/s", "ratio",
             "processor time a document", "bare SQLite's", "peak memory"]
    rows = [[f"{spread}: {SPREAD_WORDS[spread]}", figures["documents_per_s"].text(count),
             count(figures["lines_per_s"].median()), figures["bare_per_s"].text(count),
             figures["of_bare"].text(share), f"{figures['processor_us'].median():.1f} µs",
             f"{figures['bare_processor_us'].median():.1f} µs",
             mebibytes(max(figures["peak_bytes"].values))]
            for spread, figures in drain.spreads.items()]
    return table(heads, rows)


def hot_processor(drain):
    """Processor time a document with the hot item, as a multiple of that without."""
    hot, even = (drain.spreads[spread]["processor_us"].median() for spread in ("hot", "even"))
    return ratio(hot, even)


def memory_table(results):
    heads = ["daemon", "resident", "proportional share", "its own", "ready after"]
    rows = [[words, figures["resident_bytes"].text(mebibytes),
             figures["share_bytes"].text(mebibytes), figures["private_bytes"].text(mebibytes),
             figures["ready_ms"].text(milliseconds)]
            for words, figures in (("fresh, empty directory", results.idle), (
                f"fresh, {results.settings.documents:,} documents journaled and applied",
                results.full))]
    return table(heads, rows)


def hostile_table(hostile):
    heads = ["crowd", "connections", "p50 undisturbed", "p50 among them", "p99 undisturbed",
             "p99 among them", "ratio", "the daemon's most memory"]
    rows = [[f"{name}: {SHAPES[name]}", f"{hostile.connections_of(name):,}",
             figures["quiet_p50_us"].text(microseconds),
             figures["disturbed_p50_us"].text(microseconds),
             figures["quiet_p99_us"].text(microseconds),
             figures["disturbed_p99_us"].text(microseconds), f"{hostile.ratio(name):.2f}",
             mebibytes(figures["peak_bytes"].median())]
            for name, figures in hostile.figures.items()]
    return table(heads, rows)


def floors_table(results):
    return table(["floor", "measured", ""],
                 [[what, measured, "met" if met else "**not met**"]
                  for what, measured, met in floors(results)])


HEAD = """# Benchmarks

Written by `{command}`. Do not edit; run it again.

{machine}

The daemon, the load generator and the applier share these cores: while documents are acknowledged, the
applier counts them. Each run is a fresh daemon in an empty directory and {load_s:g} s long{rounds}. Each run's
stock was proven against what was acknowledged. What the machine itself can do is measured in between, on the
same disk, and the figures are also told as ratios to it of the same round: trust the ratios, the absolute
figures belong to this machine and this hour.{short}

The documents are made up as a supermarket's receipts (`tillq load --generate`), {bytes} bytes on average.
"""

SHORT = """

**A short run**: it shows that everything can be measured; the figures themselves are rough."""

TILLS = """## One document at a time

Every terminal waits for the answer before it sends the next document, as a till does. "of fdatasync": the
journal's commits a second over bare appends with fdatasync a second. "Bare SQLite": rows a second into one
table of (integer primary key, blob) without index, WAL, synchronous=FULL, with as many rows in a commit as the
daemon reached.

{one}

A lone terminal's p50 is {lone} times one bare fdatasync and round trip. 64 terminals make {crowd} times the
documents of one.

## Pipelined

Up to {pipelined} documents of each terminal on their way, as a till sends after a time without a connection.

{many}
"""

SLOW = """## A slow disk

{wait_ms:g} ms added before every fsync and fdatasync, of the daemon's and of the bare limit's; one document
at a time.

{limits}

{cells}
"""

DRAIN = """## Counting

A journal of {documents} documents ({lines:.1f} lines each, 20,000 items) is counted into an empty stock file,
1,000 documents a transaction, with nobody connected. Bare SQLite then writes the very same rows (documents,
ids, movements, each stock row once a transaction) in the same transactions into the same schema with prepared
statements, without journal and without JSON; both files are compared byte for byte afterwards.

{table}

With an item in every second receipt the applier makes {hot} times the documents/s of items spread evenly, and
uses {hot_processor:.2f} times the processor time.
"""

REST = """## At rest

{memory}

{number} idle connections, half of them never said a word: {each} of the daemon's memory each,
{all} resident in all; a till among them was served, and none was closed.

"""

HOSTILE = """## Among hostile clients

{tills} honest terminals sell {per_s} documents a second at random moments, one at a time each, and wait for
ack journal, with and without a crowd of clients that mean harm; medians of {rounds} rounds in turn. The crowd
yields the processors to everybody else, as if it sat on machines of its own.

{table}

## Floors

{floors}
"""


def markdown(results):
    settings, tills = results.settings, results.tills
    rounds = (f"; medians of {settings.rounds} interleaved rounds, the least and the most in brackets"
              if settings.rounds > 1 else "; one round")
    parts = [
        HEAD.format(command=results.command, machine=results.machine, load_s=settings.load_s,
                    rounds=rounds, short=SHORT if settings.short else "",
                    bytes=tills.receipt_bytes),
        "## What the machine can do\n\n" + limits_table(tills.limits, tills.receipt_bytes) + "\n",
        TILLS.format(one=tills_table(tills, ONE_AT_A_TIME), many=tills_table(tills, PIPELINED),
                     lone=tills.cells[(1, ONE_AT_A_TIME)]["times_bare"].text(share),
                     crowd=tills.of_one((64, ONE_AT_A_TIME)).text(share), pipelined=PIPELINED),
        SLOW.format(wait_ms=results.slow_wait_ms,
                    limits=limits_table(results.slow.limits, tills.receipt_bytes),
                    cells=slow_table(results.slow)),
        DRAIN.format(documents=f"{settings.documents:,}", lines=results.drain.lines_per_document,
                     table=drain_table(results.drain),
                     hot=results.drain.hot_of_even["documents"].text(share),
                     hot_processor=hot_processor(results.drain)),
        REST.format(memory=memory_table(results),
                    number=f"{results.connections['connections'].median():,}",
                    each=kibibytes(results.connections["each_bytes"].median()),
                    all=mebibytes(results.connections["resident_bytes"].median())),
        HOSTILE.format(tills=HONEST_TERMINALS, per_s=HONEST_PER_S,
                       rounds=settings.hostile_rounds, table=hostile_table(results.hostile),
                       floors=floors_table(results)),
    ]
    return "\n".join(parts)
