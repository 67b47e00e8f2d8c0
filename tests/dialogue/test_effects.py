"""effects: what each type of document does to the stock."""

from documents import adjust, goods_back, receipt, sale
from matching import ABSENT, same


def test_a_sale_takes_from_the_shelf(shop):
    till = shop.daemon().till("T01")
    till.put(sale("x", ("A", 2)), ack="applied")
    till.expect(outcome="accepted", stock=[{"sku": "A", "on_hand": "-2", "available": "-2"}])


def test_a_return_brings_back(shop):
    till = shop.daemon().till("T01")
    till.put(goods_back("x", ("A", 2)), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "2"}])


def test_a_receipt_brings_in(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", ("A", 12)), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "12"}])


def test_an_adjustment_goes_both_ways(shop):
    till = shop.daemon().till("T01")
    till.put(adjust("x", ("A", 5), reason="found"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "5"}])
    till.put(adjust("y", ("A", -7), reason="broken"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "-2"}])


def test_an_adjustment_may_mix_signs(shop):
    till = shop.daemon().till("T01")
    till.put(adjust("x", ("A", 5), ("B", -3), ("A", -1)), ack="applied")
    reply = till.expect(outcome="accepted")
    same({row["sku"]: row["on_hand"] for row in reply["stock"]}, {"A": "4", "B": "-3"}, "stock")


def test_an_exchange_is_a_return_and_a_sale(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("r", ("small", 1), ("large", 1)))
    till.put(goods_back("x-1", ("small", 1)))
    till.put(sale("x-2", ("large", 1)))
    for _ in range(3):
        till.expect()
    till.expect_stock(small="2", large="0")


def test_lines_of_one_sku_add_up(shop):
    till = shop.daemon().till("T01")
    till.put(sale("x", ("A", 1), ("A", 1), ("A", "0.5"), ("B", 1)), ack="applied")
    till.expect()
    till.expect_stock(A="-2.5", B="-1")


def test_a_line_goes_before_the_document_before_main(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", ("A", 1), {"sku": "A", "qty": 2, "location": "cellar"},
                     location="window"))
    till.put(receipt("y", ("A", 4)))
    till.expect()
    till.expect()
    till.settle()
    for location, on_hand in (("window", "1"), ("cellar", "2"), ("main", "4")):
        same(till.on_hand("A", location=location), {"A": on_hand}, location)


def test_a_document_of_a_thousand_lines_counts_whole(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", *[(f"sku-{number}", number + 1) for number in range(1000)]),
             ack="applied")
    reply = till.expect(outcome="accepted")
    same(len(reply["stock"]), 1000, "rows")
    till.send(op="stock", sku="sku-999")
    till.expect(stock=[{"on_hand": "1000"}])


def test_a_thousand_lines_of_one_sku_count_whole(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", *[("A", "0.001")] * 1000), ack="applied")
    till.expect(outcome="accepted", stock=[{"sku": "A", "on_hand": "1"}])


def test_price_date_time_and_operator_order_nothing(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", {"sku": "A", "qty": 1, "price": "3.8099"}, date="2027-01-01",
                     time="2027-01-01T00:00:00Z", operator="1012"), ack="applied")
    till.expect(outcome="accepted", reason=ABSENT)
    till.put(sale("y", {"sku": "A", "qty": 1, "price": "-0.01"}, date="1999-01-01"), ack="applied")
    till.expect(offset=1, stock=[{"on_hand": "0"}])


def test_figures_that_would_not_fit_64_bits_are_rejected(shop):
    till = shop.daemon().till("T01")
    most = "9223372036854775.807"
    till.put(receipt("x", ("A", most)), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": most}])
    till.put(receipt("y", ("A", "0.001"), ("B", 1)), ack="applied")
    till.expect(outcome="rejected", reason="OUT_OF_RANGE")
    till.put(receipt("z", ("C", most), ("C", most)), ack="applied")
    till.expect(outcome="rejected", reason="OUT_OF_RANGE")
    till.put(sale("s", ("A", 1)), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "9223372036854774.807"}])
    same(till.on_hand("A", "B", "C"), {"A": "9223372036854774.807"}, "on hand")
