"""judge: holds every book against what the files say in the end.

An acknowledged document is in the journal, whole, at the offset promised, and the only one of its
(terminal, seq). What was refused by name and never sent again is absent. The stock is the sum,
made here, of the documents in the journal, each id counted once."""

import json
import subprocess

from book import NOT_PROMISED
from sales import effects, made, milli_of

SHOWN = 10


class Verdict:
    """What was found, and the first few of each kind in words."""

    def __init__(self):
        self.acknowledged = self.records = self.lost = self.doubled = 0
        self.elsewhere = self.foreign = self.stock_wrong = 0
        self.shown = []

    def say(self, words):
        if len(self.shown) < SHOWN:
            self.shown.append(words)


def lines_of(command):
    """The objects a command prints, as they come; its failure is ours."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")


def read_journal(tillq, directory, books, seed, verdict):
    """({terminal: {number: first offset}}, {sku: thousandths}) of what is journaled."""
    places = {name: {} for name in books}
    stock = {}
    command = [tillq, "-d", directory, "--json", "tail", "--from", "0"]
    for dense, record in enumerate(lines_of(command)):
        value = record["value"]
        name, _, digits = value.get("id", "-0").rpartition("-")
        number = int(digits)
        verdict.records += 1
        if record["offset"] != dense:
            verdict.foreign += 1
            verdict.say(f"offset {record['offset']} where {dense} was expected")
        if not as_sent(value, books.get(name), number, seed):
            verdict.foreign += 1
            verdict.say(f"offset {record['offset']}: nobody sent this: {str(value)[:200]}")
            continue
        if number in places[name]:
            if books[name].with_seq:
                verdict.doubled += 1
                verdict.say(f"{value['id']} is at {places[name][number]} and {record['offset']}")
            continue
        places[name][number] = record["offset"]
        for sku, change in effects(value):
            stock[sku] = stock.get(sku, 0) + change
    return places, stock


def as_sent(value, book, number, seed):
    if book is None or not 0 <= number < book.sent or value.get("terminal") != book.terminal:
        return False
    sent = {key: kept for key, kept in value.items() if key not in ("shop", "terminal")}
    return sent == made(seed, book.terminal, number, book.with_seq)


def hold_against(book, places, verdict):
    for number, offset in enumerate(book.offsets):
        place = places.get(number)
        if offset == NOT_PROMISED:
            if place is not None and number in book.given_up:
                verdict.foreign += 1
                verdict.say(f"{book.terminal}-{number} was refused and is at {place}")
            continue
        verdict.acknowledged += 1
        if place is None:
            verdict.lost += 1
            verdict.say(f"LOST {book.terminal}-{number}, promised at {offset}")
        elif book.with_seq and offset >= 0 and place != offset:
            verdict.elsewhere += 1
            verdict.say(f"{book.terminal}-{number} is at {place}, promised at {offset}")


def compare_stock(tillq, directory, stock, verdict):
    command = [tillq, "-d", directory, "--json", "stock", "--all"]
    got = {row["sku"]: milli_of(row["on_hand"]) for row in lines_of(command)}
    for sku in sorted(got.keys() | stock.keys()):
        if got.get(sku, 0) != stock.get(sku, 0):
            verdict.stock_wrong += 1
            verdict.say(f"{sku}: stock {got.get(sku)}, by the books {stock.get(sku)} thousandths")


def judge(tillq, directory, books, seed):
    verdict = Verdict()
    by_name = {book.terminal: book for book in books}
    places, stock = read_journal(tillq, directory, by_name, seed, verdict)
    for book in books:
        hold_against(book, places[book.terminal], verdict)
    compare_stock(tillq, directory, stock, verdict)
    return verdict
