"""check: stock as a reference value (none, warn) or as a condition (hard)."""

from documents import adjust, goods_back, receipt, sale
from matching import ABSENT, same


def stocked(shop, **quantities):
    till = shop.daemon().till("T01", shop="0001")
    till.put(receipt("stocked", *quantities.items()), ack="applied")
    till.expect(outcome="accepted")
    return till


def test_none_counts_even_below_zero(shop):
    till = stocked(shop, A=1)
    till.put(sale("x", ("A", 3), check="none"), ack="applied")
    till.expect(outcome="accepted", reason=ABSENT, stock=[{"on_hand": "-2"}])


def test_no_check_is_none(shop):
    till = stocked(shop, A=1)
    till.put(sale("x", ("A", 3)), ack="applied")
    till.expect(outcome="accepted", reason=ABSENT, stock=[{"on_hand": "-2"}])


def test_warn_counts_and_says_so(shop):
    till = stocked(shop, A=1)
    till.put(sale("x", ("A", 3), check="warn"), ack="applied")
    till.expect(outcome="accepted", reason="INSUFFICIENT_STOCK", stock=[{"on_hand": "-2"}])
    till.send(op="dead")
    till.expect(dead=[])


def test_warn_is_silent_where_there_is_enough(shop):
    till = stocked(shop, A=3)
    till.put(sale("x", ("A", 3), check="warn"), ack="applied")
    till.expect(outcome="accepted", reason=ABSENT, stock=[{"on_hand": "0"}])


def test_hard_takes_the_last_piece(shop):
    till = stocked(shop, A=3)
    till.put(sale("x", ("A", 3), check="hard"), ack="applied")
    till.expect(outcome="accepted", reason=ABSENT, stock=[{"on_hand": "0"}])


def test_hard_refuses_what_is_not_there_and_says_what_was_wanted(shop):
    till = stocked(shop, A="2.5")
    till.put(sale("x", ("A", "2.501"), check="hard"), ack="applied")
    reply = till.expect(outcome="rejected", reason="INSUFFICIENT_STOCK",
                        stock=[{"on_hand": "2.5"}])
    same(reply["detail"], [{"sku": "A", "requested": "2.501", "available": "2.5"}], "detail")


def test_hard_of_a_sku_never_seen_has_nothing_available(shop):
    till = stocked(shop, A=1)
    till.put(sale("x", ("B", 1), check="hard"), ack="applied")
    reply = till.expect(outcome="rejected", reason="INSUFFICIENT_STOCK")
    same(reply["detail"], [{"sku": "B", "requested": "1", "available": "0"}], "detail")


def test_hard_is_all_lines_or_none(shop):
    till = stocked(shop, A=5, B=1)
    till.put(sale("x", ("A", 1), ("B", 2), check="hard"), ack="applied")
    reply = till.expect(outcome="rejected")
    same(reply["detail"], [{"sku": "B", "requested": "2", "available": "1"}], "detail")
    till.expect_stock(A="5", B="1")


def test_hard_names_each_short_sku(shop):
    till = stocked(shop, A=1, B=1, C=9)
    till.put(sale("x", ("A", 2), ("C", 9), ("B", 3), check="hard"), ack="applied")
    reply = till.expect(outcome="rejected")
    same(sorted((short["sku"], short["requested"], short["available"])
                for short in reply["detail"]), [("A", "2", "1"), ("B", "3", "1")], "detail")


def test_hard_sums_a_sku_within_one_document(shop):
    till = stocked(shop, A=5)
    till.put(sale("x", ("A", 3), ("A", 3), check="hard"), ack="applied")
    reply = till.expect(outcome="rejected")
    same(reply["detail"], [{"sku": "A", "requested": "6", "available": "5"}], "detail")
    till.put(sale("y", ("A", 3), ("A", 2), check="hard"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "0"}])


def test_hard_looks_at_each_location_by_itself(shop):
    till = stocked(shop, A=5)
    till.put(receipt("cellar", ("A", 5), location="cellar"))
    till.expect()
    cellar = {"sku": "A", "qty": 6, "location": "cellar"}
    till.put(sale("x", ("A", 4), cellar, check="hard"), ack="applied")
    till.expect(outcome="rejected", detail=[{"sku": "A", "requested": "6", "available": "5"}])
    till.put(sale("y", ("A", 5), {**cellar, "qty": 5}, check="hard"), ack="applied")
    till.expect(outcome="accepted")


def test_hard_guards_an_adjustment_downwards(shop):
    till = stocked(shop, A=2)
    till.put(adjust("x", ("A", -3), check="hard"), ack="applied")
    till.expect(outcome="rejected", reason="INSUFFICIENT_STOCK", stock=[{"on_hand": "2"}])
    till.put(adjust("y", ("A", -2), check="hard"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "0"}])


def test_hard_lets_an_adjustment_upwards_be(shop):
    till = stocked(shop, A=1)
    till.put(sale("s", ("A", 5)))
    till.expect()
    till.put(adjust("x", ("A", 2), check="hard"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "-2"}])


def test_hard_does_not_hinder_a_return(shop):
    till = stocked(shop, A=1)
    till.put(goods_back("x", ("A", 1), check="hard"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "2"}])


def test_hard_sees_everything_before_it_in_the_journal(shop):
    till = stocked(shop, A=10)
    for number in range(30):
        till.put(sale(f"x-{number}", ("A", 1), check="hard"), ack="applied")
    outcomes = [till.expect()["outcome"] for _ in range(30)]
    same(outcomes, ["accepted"] * 10 + ["rejected"] * 20, "outcomes")
    till.expect_stock(A="0")


def test_a_check_unknown_is_a_bad_document(shop):
    till = stocked(shop, A=1)
    for check in ("soft", "", 1, None, True, "HARD"):
        till.put(sale("x", ("A", 1), check=check))
        till.expect(error="BAD_DOCUMENT", path="check")


def test_a_rejected_id_sent_again_is_a_duplicate(shop):
    till = stocked(shop, A=1)
    till.put(sale("x", ("A", 2), check="hard"), ack="applied")
    till.expect(outcome="rejected")
    till.put(receipt("more", ("A", 9)))
    till.expect()
    till.put(sale("x", ("A", 2), check="hard"), ack="applied")
    till.expect(outcome="duplicate", stock=[{"on_hand": "10"}])
