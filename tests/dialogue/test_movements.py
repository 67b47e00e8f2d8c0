"""movements: every change of a figure, with the places between which it moved."""

from documents import adjust, goods_back, receipt, sale
from matching import ABSENT, ANYTHING, same


def all_movements(till, sku, limit=1000, **where):
    found, after = [], {}
    while True:
        reply = till.ask(op="movements", sku=sku, limit=limit, **after, **where)
        found += reply["movements"]
        if "next" not in reply:
            return found
        same(len(reply["movements"]), limit, "movements of a page")
        after = {"after": reply["next"]}


def day_of_business(till):
    documents = [receipt("r-1", ("A", 10), ("B", "1.5")), sale("s-1", ("A", 1), ("A", 2)),
                 goods_back("b-1", ("A", 1)), adjust("a-1", ("A", -3), reason="broken"),
                 adjust("a-2", ("A", 1), ("B", "-0.5"), reason="found"),
                 sale("s-2", ("B", 5), check="hard"), sale("s-1", ("A", 1), ("A", 2)),
                 sale("s-1", ("A", 9)), {"type": "wish", "id": "w-1"}]
    for document in documents:
        till.put(document, ack="applied")
    return [till.expect()["outcome"] for _ in documents]


def test_a_movement_says_when_what_who_where(shop):
    till = shop.daemon().till("T01", shop="0001")
    till.put(sale("x", ("A", "0.575"), date="2026-11-22", time="2026-11-22T10:15:03+01:00",
                  operator="1012", location="window"), ack="applied")
    till.expect()
    reply = till.ask(op="movements", sku="A")
    same(reply, {"movements": [{
        "offset": 0, "partition": 0, "time": ANYTHING, "date": "2026-11-22", "type": "sale",
        "id": "x", "terminal": "T01", "operator": "1012", "shop": "0001", "location": "window",
        "sku": "A", "qty": "-0.575", "balance": "-0.575", "from": "shelf", "to": "customer"}],
        "next": ABSENT, "applied": [1]}, "movements")


def test_each_type_moves_between_its_places(shop):
    till = shop.daemon().till("T01")
    same(day_of_business(till), ["accepted"] * 5 + ["rejected", "duplicate", "conflict",
                                                    "rejected"], "outcomes")
    told = [(one["type"], one["qty"], one["balance"], one["from"], one["to"])
            for one in reversed(all_movements(till, "A"))]
    same(told[0], ("receipt", "10", "10", "supplier", "shelf"), "receipt")
    same(told[-3:], [("return", "1", "8", "customer", "shelf"),
                     ("adjust", "-3", "5", "shelf", "adjustment"),
                     ("adjust", "1", "6", "adjustment", "shelf")], "return, adjustments")
    same(sum(int(one[1]) for one in told[1:-3]), -3, "sale")
    same({one[3:] for one in told[1:-3]}, {("shelf", "customer")}, "places of the sale")
    same(till.on_hand("A"), {"A": "6"}, "on hand")


def test_movements_come_newest_first_page_by_page(shop):
    till = shop.daemon().till("T01")
    for number in range(10):
        till.put(receipt(f"x-{number}", ("A", 1)), ack="applied")
        till.expect()
    for limit in (1, 3, 5, 10, 1000):
        told = [(one["offset"], one["balance"]) for one in all_movements(till, "A", limit)]
        same(told, [(offset, str(offset + 1)) for offset in range(9, -1, -1)], f"by {limit}")


def test_movements_of_one_place_only(shop):
    till = shop.daemon().till("T01", shop="0001")
    for number, location in enumerate(("main", "cellar", "main")):
        till.put(receipt(f"x-{number}", ("A", 1), location=location), ack="applied")
        till.expect()
    same([one["offset"] for one in all_movements(till, "A", location="main")], [2, 0], "main")
    same([one["offset"] for one in all_movements(till, "A", location="cellar")], [1], "cellar")
    same(all_movements(till, "A", shop="0002"), [], "another shop")
    same(all_movements(till, "B"), [], "another sku")


def test_a_balance_is_of_its_place(shop):
    till = shop.daemon().till("T01")
    for number, location in enumerate(("main", "cellar", "main", "cellar")):
        till.put(receipt(f"x-{number}", ("A", 5), location=location), ack="applied")
        till.expect()
    same([one["balance"] for one in all_movements(till, "A")], ["10", "10", "5", "5"], "balances")


def test_a_document_that_does_not_count_moves_nothing(shop):
    till = shop.daemon().till("T01")
    till.put(sale("x", ("A", 1), check="hard"), ack="applied")
    till.expect(outcome="rejected")
    till.put(receipt("y", ("A", 1)), ack="applied")
    till.put(receipt("y", ("A", 1)), ack="applied")
    till.put(receipt("y", ("A", 2)), ack="applied")
    for outcome in ("accepted", "duplicate", "conflict"):
        till.expect(outcome=outcome)
    same([one["offset"] for one in all_movements(till, "A")], [1], "movements")


def test_movements_need_a_sku(shop):
    till = shop.daemon().till()
    till.send(op="movements")
    till.expect(error="BAD_REQUEST", path="sku")
    till.send(op="movements", sku=1)
    till.expect(error="BAD_REQUEST", path="sku")
    till.send(op="movements", sku="A", limit=0)
    till.expect(error="BAD_REQUEST", path="limit")
    till.send(op="movements", sku="A", after=1.5)
    till.expect(error="BAD_REQUEST", path="after")
