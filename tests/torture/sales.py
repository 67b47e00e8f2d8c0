"""sales: what each terminal sends, made from (seed, terminal, number) alone, so that a book need not
keep it and the judge can make it again."""

import hashlib

SKUS = 40
KINDS = {"sale": -1, "return": 1, "receipt": 1, "adjust": 1}


def made(seed, terminal, number, with_seq=True):
    """The document number `number` of a terminal, without shop and terminal."""
    chance = hashlib.blake2b(f"{seed}/{terminal}/{number}".encode(), digest_size=32).digest()
    kind = list(KINDS)[chance[0] % 4] if chance[1] < 100 else "sale"
    document = {"type": kind, "id": f"{terminal}-{number}"}
    if with_seq:
        document["seq"] = number
    document["lines"] = [
        {"sku": f"S{chance[2 + line] % SKUS:02d}",
         "qty": quantity(1 + chance[8 + 2 * line] * 256 + chance[9 + 2 * line])}
        for line in range(1 + chance[7] % 4)]
    if kind == "adjust":
        document["reason"] = "count"
    document["note"] = "x" * (chance[30] if chance[31] else 20000)
    return document


def quantity(milli):
    return f"{milli // 1000}.{milli % 1000:03d}"


def milli_of(text):
    """A decimal with at most 3 decimals as a count of thousandths."""
    whole, _, fraction = text.lstrip("-").partition(".")
    milli = int(whole) * 1000 + int(fraction.ljust(3, "0"))
    return -milli if text.startswith("-") else milli


def effects(document):
    """(sku, change in thousandths) of each line."""
    sign = KINDS[document["type"]]
    for line in document["lines"]:
        yield line["sku"], sign * milli_of(line["qty"])
