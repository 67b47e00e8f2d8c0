"""model: random business, with kills and rolls in between, beside a model a page long.

Every answer must be the model's, and so must every figure at the end. A failure names its seed.
"""

import random

from documents import adjust, document, drop, goods_back, receipt, retry, sale
from matching import same
from waiting import Failure

SKUS = ("A", "B", "C")
LOCATIONS = ("main", "cellar")
TERMINALS = ("T01", "T02")
STEPS = 400


class Model:
    """What the daemon should answer, in thousandths."""

    def __init__(self):
        self.stock = {}
        self.owners = {}  # (terminal, id): the content that has it
        self.journal = []  # (terminal, document)
        self.offsets = {}  # (terminal, seq): offset
        self.dead = {}  # offset: (terminal, document)

    def put(self, terminal, document_put):
        """{offset, outcome, reason, duplicate} as far as they are in the answer."""
        seq = document_put.get("seq")
        if (terminal, seq) in self.offsets:
            return {"duplicate": True, "seq": seq}
        offset = len(self.journal)
        self.journal.append((terminal, document_put))
        if seq is not None:
            self.offsets[terminal, seq] = offset
        outcome, reason = self.decide(terminal, document_put, offset)
        kind = document_put["type"]
        if outcome in ("rejected", "conflict") and kind not in ("retry", "drop"):
            self.dead[offset] = terminal, document_put
        return {"offset": offset, "outcome": outcome, "reason": reason}

    def decide(self, terminal, document_put, offset):
        content = {key: value for key, value in document_put.items() if key != "seq"}
        owner = self.owners.setdefault((terminal, document_put["id"]), (content, offset))
        if owner[0] != content:
            return "conflict", "ID_TAKEN"
        if owner[1] != offset:
            return "duplicate", None
        return self.effect(document_put)

    def effect(self, document_put):
        kind = document_put["type"]
        if kind in ("retry", "drop"):
            return self.settle_dead(kind, document_put["offset"])
        if kind == "wish":
            return "rejected", "UNKNOWN_TYPE"
        changes = {}
        for line in document_put["lines"]:
            place = line["location"], line["sku"]
            milli = thousandths(line["qty"]) * (-1 if kind == "sale" else 1)
            changes[place] = changes.get(place, 0) + milli
        short = any(change < 0 and self.stock.get(place, 0) + change < 0
                    for place, change in changes.items())
        check = document_put.get("check", "none")
        if short and check == "hard":
            return "rejected", "INSUFFICIENT_STOCK"
        for place, change in changes.items():
            self.stock[place] = self.stock.get(place, 0) + change
        return "accepted", "INSUFFICIENT_STOCK" if short and check == "warn" else None

    def settle_dead(self, kind, offset):
        if offset not in self.dead:
            return "rejected", "NOT_DEAD"
        if kind == "drop":
            del self.dead[offset]
            return "accepted", None
        terminal, again = self.dead[offset]
        if self.owners[terminal, again["id"]][1] != offset:
            return "conflict", "ID_TAKEN"
        outcome = self.effect(again)
        if outcome[0] == "accepted":
            del self.dead[offset]
        return outcome


def thousandths(text):
    whole, _, fraction = text.lstrip("-").partition(".")
    return (-1 if text.startswith("-") else 1) * (int(whole) * 1000 + int(fraction.ljust(3, "0")))


def random_document(dice, model, number):
    identity = f"x-{dice.randrange(number + 1) if dice.random() < 0.1 else number}"
    kind = dice.choice(("sale", "sale", "sale", "return", "receipt", "adjust", "wish", "retry",
                        "drop"))
    if kind in ("retry", "drop"):
        offset = dice.choice(sorted(model.dead) + [dice.randrange(len(model.journal) + 2)])
        return (retry if kind == "retry" else drop)(identity, offset)
    if kind == "wish":
        return document("wish", identity)
    lines = [{"sku": dice.choice(SKUS), "qty": f"{dice.randrange(4)}.{dice.randrange(1, 1000):03d}",
              "location": dice.choice(LOCATIONS)} for _ in range(dice.randrange(1, 4))]
    if kind == "adjust" and dice.random() < 0.5:
        lines[0]["qty"] = "-" + lines[0]["qty"]
    make = {"sale": sale, "return": goods_back, "receipt": receipt, "adjust": adjust}[kind]
    return make(identity, *lines, check=dice.choice(("none", "warn", "hard")))


def random_seq(dice, model, terminal):
    """None, the next, one skipped, or one sent before."""
    sent = [seq for name, seq in model.offsets if name == terminal]
    newest = max(sent, default=-1)
    return dice.choice((None, newest + 1, newest + 1, newest + 1 + dice.randrange(3),
                        dice.randrange(newest + 2)))


def connect(daemon):
    return {terminal: daemon.till(terminal) for terminal in TERMINALS}


def disturb(dice, daemon, tills):
    """Now and then a kill, a restart (the tills come back then), or a roll. The tills."""
    event = dice.random()
    if event < 0.02:
        daemon.kill9()
        daemon.start()
    elif event < 0.03:
        daemon.restart()
    elif event < 0.05:
        tills["T01"].ask(op="roll")
    return connect(daemon) if event < 0.03 else tills


def play(shop, seed):
    dice, model, daemon = random.Random(seed), Model(), shop.daemon(f"data-{seed}")
    tills = connect(daemon)
    for number in range(STEPS):
        tills = disturb(dice, daemon, tills)
        terminal = dice.choice(TERMINALS)
        one = random_document(dice, model, number)
        seq = random_seq(dice, model, terminal)
        if seq is not None:
            one["seq"] = seq
        want = model.put(terminal, one)
        tills[terminal].put(one, ack="applied")
        try:
            got = tills[terminal].expect()
            same({key: got.get(key) for key in want}, want, f"answer to {one}")
        except Failure as failure:
            raise Failure(f"seed {seed}, step {number}: {failure}") from None
    compare_all(tills["T01"], model, seed)


def compare_all(till, model, seed):
    rows = till.ask(op="stock")["stock"]
    got = {(row["location"], row["sku"]): thousandths(row["on_hand"]) for row in rows}
    if got != model.stock:
        raise Failure(f"seed {seed}: stock: got {got}, want {model.stock}")
    same([one["offset"] for one in till.ask(op="dead")["dead"]], sorted(model.dead),
         f"seed {seed}: dead")
    same([record["value"]["id"] for record in till.fetch_all()],
         [one["id"] for _, one in model.journal], f"seed {seed}: journal")


def test_random_business_is_answered_as_the_model_says(shop):
    for seed in (1, 2, 3):
        play(shop, seed)


def test_random_business_of_a_seed_never_played_before(shop):
    play(shop, random.SystemRandom().randrange(10**9))
