"""documents: the stock documents a dialogue puts, written short.

A line is (sku, qty), or an object where it says more.
"""


def document(kind, identity, *lines, **fields):
    made = {"type": kind, "id": identity}
    if lines:
        made["lines"] = [line if isinstance(line, dict) else {"sku": line[0], "qty": line[1]}
                         for line in lines]
    made.update(fields)
    return made


def sale(identity, *lines, **fields):
    return document("sale", identity, *lines, **fields)


def goods_back(identity, *lines, **fields):
    return document("return", identity, *lines, **fields)


def receipt(identity, *lines, **fields):
    return document("receipt", identity, *lines, **fields)


def adjust(identity, *lines, reason="count", **fields):
    return document("adjust", identity, *lines, reason=reason, **fields)


def retry(identity, offset, **fields):
    return document("retry", identity, partition=0, offset=offset, **fields)


def drop(identity, offset, reason="settled by hand", **fields):
    return document("drop", identity, partition=0, offset=offset, reason=reason, **fields)
