"""stock: the figures, by sku, by place, and page by page."""

from documents import receipt, sale
from matching import ABSENT, ANYTHING, same


def fill(till):
    """Three skus at two locations of two shops."""
    for number, (shop, location) in enumerate((("0001", "main"), ("0001", "cellar"),
                                               ("0002", "main"))):
        till.put(receipt(f"fill-{number}", ("A", 1), ("B", 2), ("C", 3), shop=shop,
                         location=location), ack="applied")
        till.expect(outcome="accepted")


def rows(reply):
    return [(row["shop"], row["location"], row["sku"], row["on_hand"]) for row in reply["stock"]]


ALL = [("0001", "cellar", "A", "1"), ("0001", "cellar", "B", "2"), ("0001", "cellar", "C", "3"),
       ("0001", "main", "A", "1"), ("0001", "main", "B", "2"), ("0001", "main", "C", "3"),
       ("0002", "main", "A", "1"), ("0002", "main", "B", "2"), ("0002", "main", "C", "3")]


def test_an_empty_shop_has_no_stock(shop):
    till = shop.daemon().till()
    till.send(op="stock")
    till.expect(stock=[], next=ABSENT, applied=ANYTHING)


def test_a_sku_never_seen_has_no_row(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1)), ack="applied")
    till.expect()
    till.send(op="stock", sku="B")
    till.expect(stock=[])
    till.send(op="stock", skus=["B", "A", "C"])
    till.expect(stock=[{"sku": "A"}])


def test_a_sku_sold_down_to_zero_keeps_its_row(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1)))
    till.expect()
    till.put(sale("T01-1", ("A", 1)), ack="applied")
    till.expect(stock=[{"sku": "A", "on_hand": "0", "available": "0"}])
    till.send(op="stock", sku="A")
    till.expect(stock=[{"sku": "A", "on_hand": "0", "reserved": "0", "available": "0"}])


def test_all_rows_are_ordered_by_shop_location_sku(shop):
    till = shop.daemon().till("T01")
    fill(till)
    same(rows(till.ask(op="stock")), ALL, "stock")


def test_filters_narrow_by_shop_location_and_sku(shop):
    till = shop.daemon().till("T01")
    fill(till)
    for wanted in ({"shop": "0001"}, {"location": "main"}, {"sku": "B"}, {"skus": ["C", "A"]},
                   {"shop": "0001", "location": "cellar"}, {"shop": "0002", "sku": "A"},
                   {"shop": "0003"}, {"location": "cellar", "skus": ["B"]},
                   {"shop": "0001", "location": "main", "sku": "C"}, {"skus": []}):
        skus = wanted.get("skus", [wanted["sku"]] if "sku" in wanted else ["A", "B", "C"])
        same(rows(till.ask(op="stock", **wanted)),
             [row for row in ALL if row[2] in skus and wanted.get("shop", row[0]) == row[0]
              and wanted.get("location", row[1]) == row[1]], f"stock {wanted}")


def read_pages(till, limit, **wanted):
    """All rows by pages of `limit`, each full but the last."""
    found, after = [], {}
    while True:
        reply = till.ask(op="stock", limit=limit, **after, **wanted)
        found += rows(reply)
        if "next" not in reply:
            same(len(reply["stock"]), lambda count: count <= limit, "rows of the last page")
            return found
        same(len(reply["stock"]), limit, "rows of a page")
        after = {"after": reply["next"]}


def test_pages_of_every_size_give_all_rows_once(shop):
    till = shop.daemon().till("T01")
    fill(till)
    for limit in range(1, 12):
        same(read_pages(till, limit), ALL, f"stock by {limit}")


def test_pages_keep_to_the_filter(shop):
    till = shop.daemon().till("T01")
    fill(till)
    same(read_pages(till, 2, location="main"), [row for row in ALL if row[1] == "main"], "main")
    same(read_pages(till, 1, skus=["A", "C"]), [row for row in ALL if row[2] != "B"], "A and C")
    same(read_pages(till, 1, shop="0001", sku="B"),
         [row for row in ALL if row[0] == "0001" and row[2] == "B"], "B of 0001")


def test_a_sku_asked_for_twice_is_one_row(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("r", ("A", 1)), ack="applied")
    till.expect()
    till.send(op="stock", skus=["A", "B", "A"])
    till.expect(stock=[{"sku": "A", "on_hand": "1"}])


def test_a_page_has_at_most_1000_rows(shop):
    till = shop.daemon().till("T01")
    for number in range(3):
        lines = [(f"sku-{number:02d}-{line:04d}", 1) for line in range(700)]
        till.put(receipt(f"T01-{number}", *lines), ack="applied")
        till.expect(outcome="accepted")
    first = till.ask(op="stock", limit=5000)
    same(len(first["stock"]), 1000, "rows of the first page")
    second = till.ask(op="stock", after=first["next"])
    third = till.ask(op="stock", after=second["next"])
    same((len(second["stock"]), len(third["stock"]), third.get("next")), (1000, 100, None), "pages")


def test_a_limit_out_of_range_is_refused(shop):
    till = shop.daemon().till()
    for limit in (0, -1, "10", 1.5):
        till.send(op="stock", limit=limit)
        till.expect(error="BAD_REQUEST", path="limit")


def test_an_after_that_is_none_is_refused(shop):
    till = shop.daemon().till()
    for after in (17, "", "no such cursor", ["A"]):
        till.send(op="stock", after=after)
        till.expect(error="BAD_REQUEST", path="after")


def test_wrong_types_are_named_by_path(shop):
    till = shop.daemon().till()
    for path, wanted in (("sku", {"sku": 1}), ("skus", {"skus": "A"}),
                         ("skus", {"skus": ["A", 2]}), ("shop", {"shop": 1}),
                         ("location", {"location": []})):
        till.send(op="stock", **wanted)
        till.expect(error="BAD_REQUEST", path=path)


def test_applied_counts_what_is_in_the_figures(shop):
    till = shop.daemon().till("T01")
    for number in range(3):
        till.put(receipt(f"T01-{number}", ("A", 1)), ack="applied")
        till.expect()
        till.send(op="stock", sku="A")
        till.expect(stock=[{"on_hand": str(number + 1)}], applied=[number + 1])


def test_skus_with_odd_names_are_skus(shop):
    till = shop.daemon().till("T01")
    odd = ["BANK CHARGES", "gift_0001_20", "m", "'; DROP TABLE stock; --", "ä€😀", "\"quoted\"",
           "%_*", "\\back", "0", "00", "1e3", "S" * 64]
    till.put(receipt("T01-0", *[(sku, 1) for sku in odd]), ack="applied")
    till.expect(outcome="accepted")
    for sku in odd:
        till.send(op="stock", sku=sku)
        till.expect(stock=[{"sku": sku, "on_hand": "1"}])
    same(sorted(read_page[2] for read_page in read_pages(till, 5)), sorted(odd), "skus")
