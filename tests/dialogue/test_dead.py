"""dead: what was not counted stays visible until a fact of its own settles it."""

import json

from documents import document, drop, receipt, retry, sale
from matching import ABSENT, ANYTHING, same


def short_of_stock(shop):
    """A till whose document at offset 0 was rejected."""
    till = shop.daemon().till("T01", shop="0001")
    till.put(sale("x", ("A", 2), check="hard", seq=0), ack="applied")
    till.expect(offset=0, outcome="rejected", reason="INSUFFICIENT_STOCK")
    return till


def test_an_unknown_type_is_journaled_and_rejected(shop):
    till = shop.daemon().till("T01")
    till.put(document("wish", "x", colour="red"), ack="applied")
    till.expect(offset=0, outcome="rejected", reason="UNKNOWN_TYPE")
    till.send(op="dead")
    till.expect(dead=[{"type": "wish", "reason": "UNKNOWN_TYPE", "outcome": "rejected"}])
    till.send(op="status")
    till.expect(dead=1, outcomes={"rejected": 1})


def test_dead_says_who_what_and_why(shop):
    till = short_of_stock(shop)
    reply = till.ask(op="dead")
    same(reply["dead"], [{
        "partition": 0, "offset": 0, "time": ANYTHING, "shop": "0001", "terminal": "T01", "id": "x",
        "type": "sale", "outcome": "rejected", "reason": "INSUFFICIENT_STOCK",
        "detail": [{"sku": "A", "requested": "2", "available": "0"}], "value": ABSENT}], "dead")
    same(reply["applied"], [1], "applied")


def test_dead_shows_the_value_of_one(shop):
    till = short_of_stock(shop)
    till.send(op="dead", offset=0, partition=0)
    till.expect(dead=[{"offset": 0, "value": sale("x", ("A", 2), check="hard", seq=0,
                                                  terminal="T01", shop="0001")}])


def test_dead_of_an_offset_that_is_not_dead_is_empty(shop):
    till = short_of_stock(shop)
    till.put(receipt("r", ("A", 1)), ack="applied")
    till.expect()
    till.send(op="dead", offset=1)
    till.expect(dead=[])
    till.send(op="dead", offset=99)
    till.expect(dead=[])


def test_dead_comes_oldest_first_page_by_page(shop):
    till = shop.daemon().till("T01")
    for number in range(7):
        till.put(document("wish", f"x-{number}"), ack="applied")
        till.put(receipt(f"r-{number}", ("A", 1)))
        till.expect(outcome="rejected")
        till.expect()
    for limit in (1, 2, 3, 7, 100):
        offsets, after = [], {}
        while True:
            reply = till.ask(op="dead", limit=limit, **after)
            offsets += [entry["offset"] for entry in reply["dead"]]
            if "next" not in reply:
                break
            same(len(reply["dead"]), limit, "entries of a page")
            after = {"after": reply["next"]}
        same(offsets, list(range(0, 14, 2)), f"offsets by {limit}")


def test_a_page_of_large_details_is_about_1_mib(shop):
    till = shop.daemon().till("T01")
    lines = [(f"sku-{number:05d}", 1) for number in range(5000)]
    for number in range(20):
        till.put(sale(f"x-{number}", *lines, check="hard"), ack="none")
    till.settle()
    offsets, after = [], {}
    while True:
        till.send(op="dead", **after)
        line = till.reply_line()
        reply = json.loads(line)
        same(len(line), lambda length: length < 3_000_000, "bytes of a page")
        offsets += [entry["offset"] for entry in reply["dead"]]
        if "next" not in reply:
            break
        after = {"after": reply["next"]}
    same(offsets, list(range(20)), "offsets")


def test_a_retry_counts_when_stock_has_come(shop):
    till = short_of_stock(shop)
    till.put(receipt("r", ("A", 5)))
    till.expect(offset=1)
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(offset=2, outcome="accepted", stock=[{"sku": "A", "on_hand": "3"}])
    till.send(op="dead")
    till.expect(dead=[])
    till.send(op="movements", sku="A", limit=1)
    till.expect(movements=[{"offset": 2, "qty": "-2", "balance": "3"}])


def test_a_retry_too_early_is_rejected_again_and_stays_dead(shop):
    till = short_of_stock(shop)
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="rejected", reason="INSUFFICIENT_STOCK")
    till.settle()
    dead = till.ask(op="dead")["dead"]
    same(0 in [entry["offset"] for entry in dead], True, "offset 0 still dead")


def test_a_retry_of_what_was_retried_is_not_dead(shop):
    till = short_of_stock(shop)
    till.put(receipt("r", ("A", 5)))
    till.expect()
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="accepted")
    till.put(retry("retry-2", 0), ack="applied")
    till.expect(outcome="rejected", reason="NOT_DEAD")
    till.expect_stock(A="3")


def test_a_retry_sent_twice_counts_once(shop):
    till = short_of_stock(shop)
    till.put(receipt("r", ("A", 5)))
    till.expect()
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="accepted")
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="duplicate")
    till.expect_stock(A="3")


def test_the_document_sent_again_after_its_retry_is_a_duplicate(shop):
    till = short_of_stock(shop)
    till.put(receipt("r", ("A", 5)))
    till.expect()
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="accepted")
    till.put(sale("x", ("A", 2), check="hard", seq=1), ack="applied")
    till.expect(outcome="duplicate", stock=[{"on_hand": "3"}])


def test_drop_takes_it_off_the_list_and_counts_nothing(shop):
    till = short_of_stock(shop)
    till.put(drop("drop-1", 0), ack="applied")
    till.expect(outcome="accepted")
    till.send(op="dead")
    till.expect(dead=[])
    till.put(drop("drop-2", 0), ack="applied")
    till.expect(outcome="rejected", reason="NOT_DEAD")
    till.put(retry("retry-1", 0), ack="applied")
    till.expect(outcome="rejected", reason="NOT_DEAD")
    same(till.on_hand("A"), {}, "on hand")


def test_retry_and_drop_of_what_is_not_dead_are_rejected(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("r", ("A", 5)), ack="applied")
    till.expect(outcome="accepted")
    for number, offset in enumerate((0, 1, 2, 3, 99, 2**62)):
        till.put(retry(f"retry-{number}", offset), ack="applied")
        till.expect(outcome="rejected", reason="NOT_DEAD")
        till.put(drop(f"drop-{number}", offset), ack="applied")
        till.expect(outcome="rejected", reason="NOT_DEAD")
    till.expect_stock(A="5")


def test_a_conflict_can_be_dropped(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", ("A", 5)))
    till.put(receipt("x", ("A", 6)), ack="applied")
    till.expect()
    till.expect(offset=1, outcome="conflict")
    till.put(drop("drop-1", 1), ack="applied")
    till.expect(outcome="accepted")
    till.send(op="dead")
    till.expect(dead=[])
    till.expect_stock(A="5")


def test_a_conflict_retried_is_a_conflict_still(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", ("A", 5)))
    till.put(receipt("x", ("A", 6)), ack="applied")
    till.expect()
    till.expect(offset=1, outcome="conflict")
    till.put(retry("retry-1", 1), ack="applied")
    till.expect(outcome="conflict", reason="ID_TAKEN")
    till.expect_stock(A="5")


def test_the_dead_outlive_a_restart_and_a_rebuild(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(document("wish", "x"), ack="applied")
    till.put(document("wish", "y"), ack="applied")
    till.put(drop("drop-1", 0), ack="applied")
    for _ in range(3):
        till.expect()
    before = till.ask(op="dead")
    daemon.stop()
    shop.tillq("-d", daemon.directory, "rebuild")
    daemon.start()
    same(daemon.till().ask(op="dead"), before, "dead")


def test_dead_needs_its_keys_right(shop):
    till = shop.daemon().till()
    for path, value in (("offset", "0"), ("offset", -1), ("partition", "0"), ("limit", 0),
                        ("limit", "1"), ("after", 1.5)):
        till.send(op="dead", **{"offset": 0, path: value})
        till.expect(error="BAD_REQUEST", path=path)
