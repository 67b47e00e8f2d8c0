"""put: a document goes in, and what each acknowledgement says."""

from documents import receipt, sale
from matching import ABSENT, ANYTHING, same


def test_put_is_journaled_by_default(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 2), seq=0))
    till.expect(topic="stock", partition=0, offset=0, seq=0, outcome=ABSENT, stock=ABSENT,
                duplicate=ABSENT)


def test_ack_journal_says_topic_partition_offset_seq(shop):
    till = shop.daemon().till("T01")
    for number in range(3):
        till.put(sale(f"T01-{number}", ("A", 1), seq=number), ack="journal")
        till.expect(topic="stock", partition=0, offset=number, seq=number)


def test_a_document_without_seq_has_none_in_its_reply(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1)))
    till.expect(offset=0, seq=ABSENT)


def test_ack_applied_says_outcome_and_the_stock_of_each_sku(shop):
    till = shop.daemon().till("T01", shop="0001")
    till.put(receipt("T01-1", ("A", 10), ("B", "2.5"), seq=0), ack="applied")
    till.expect(offset=0, seq=0, outcome="accepted", reason=ABSENT, detail=ABSENT, stock=[
        {"shop": "0001", "location": "main", "sku": "A", "on_hand": "10", "reserved": "0",
         "available": "10"},
        {"shop": "0001", "location": "main", "sku": "B", "on_hand": "2.5", "reserved": "0",
         "available": "2.5"}], applied=ANYTHING)
    till.put(sale("T01-2", ("B", "0.575"), seq=1), ack="applied")
    till.expect(outcome="accepted", stock=[{"sku": "B", "on_hand": "1.925"}])


def test_ack_applied_names_a_sku_of_two_lines_once(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1), ("B", 1), ("A", 2)), ack="applied")
    reply = till.expect(outcome="accepted")
    same(sorted((row["sku"], row["on_hand"]) for row in reply["stock"]),
         [("A", "-3"), ("B", "-1")], "stock")


def test_ack_applied_says_the_figures_after_this_document_not_a_later_one(shop):
    till = shop.daemon().till("T01")
    for number in range(20):
        till.put(receipt(f"T01-{number}", ("A", 1)), ack="applied")
    for number in range(20):
        till.expect(offset=number, stock=[{"sku": "A", "on_hand": str(number + 1)}])


def test_ack_none_is_silent_when_taken(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-1", ("A", 5)), ack="none", tag="silent")
    till.send(op="status", tag="next")
    till.expect(tag="next")
    till.expect_stock(A="5")


def test_ack_none_speaks_when_not_taken(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", "1.0001"), seq=4), ack="none", tag="bad")
    till.expect(error="BAD_DOCUMENT", path="lines[0].qty", tag="bad", seq=4)
    till.put(sale("T01-2", ("A", 1), terminal="T99"), ack="none", tag="other")
    till.expect(error="TERMINAL_MISMATCH", tag="other")


def test_ack_none_a_thousand_times_then_one_answer(shop):
    till = shop.daemon().till("T01")
    for number in range(1000):
        till.put(receipt(f"T01-{number}", ("A", 1), seq=number), ack="none")
    till.put(receipt("T01-1000", ("A", 1), seq=1000), ack="applied")
    till.expect(offset=1000, stock=[{"sku": "A", "on_hand": "1001"}])


def test_ack_none_of_a_duplicate_is_silent_too(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-1", ("A", 5), seq=0))
    till.expect(offset=0)
    till.put(receipt("T01-1", ("A", 5), seq=0), ack="none")
    till.send(op="status", tag="next")
    till.expect(tag="next", partitions=[{"topic": "stock", "end": 1}])


def test_tag_is_echoed_string_or_integer(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1)), tag="a \"quoted\" täg")
    till.expect(tag="a \"quoted\" täg")
    till.put(sale("T01-2", ("A", 1)), tag=-17)
    till.expect(tag=-17)
    till.put(sale("T01-3", ("A", 1)))
    till.expect(tag=ABSENT)


def test_tag_is_echoed_by_every_request(shop):
    till = shop.daemon().till("T01")
    requests = [
        {"op": "hello", "terminal": "T01"}, {"op": "put", "doc": sale("T01-1", ("A", 1))},
        {"op": "stock"}, {"op": "fetch", "topic": "stock", "partition": 0, "offset": 0},
        {"op": "produce", "topic": "t", "value": 1}, {"op": "status"},
        {"op": "commit", "group": "g", "topic": "t", "partition": 0, "offset": 1},
        {"op": "committed", "group": "g", "topic": "t", "partition": 0},
        {"op": "movements", "sku": "A"}, {"op": "dead"}, {"op": "roll"}, {"op": "verify"}]
    for request in requests:
        till.send(request, tag=request["op"] + "!")
        till.expect(tag=request["op"] + "!")


def test_tag_and_seq_are_echoed_in_errors(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", "x"), seq=12), tag="t")
    till.expect(error="BAD_DOCUMENT", tag="t", seq=12)
    till.put(sale("T01-1", ("A", 1), seq=12, terminal="T02"), tag=5)
    till.expect(error="TERMINAL_MISMATCH", tag=5, seq=12)
    till.send(op="no such thing", tag="t2")
    till.expect(error="BAD_REQUEST", path="op", tag="t2")


def test_a_tag_of_another_type_is_refused(shop):
    till = shop.daemon().till("T01")
    for tag in (1.5, True, None, [1], {"a": 1}):
        till.send(op="status", tag=tag)
        till.expect(error="BAD_REQUEST", path="tag", tag=ABSENT)
    till.send(op="status", tag="fine")
    till.expect(tag="fine")


def test_put_needs_a_document(shop):
    till = shop.daemon().till("T01")
    till.send(op="put")
    till.expect(error="BAD_REQUEST", path="doc")
    for document in (None, 1, "sale", [sale("x", ("A", 1))]):
        till.send(op="put", doc=document)
        till.expect(error="BAD_REQUEST", path="doc")


def test_an_ack_unknown_is_refused(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1)), ack="maybe")
    till.expect(error="BAD_REQUEST", path="ack")
    till.put(sale("T01-1", ("A", 1), seq=0), ack=1)
    till.expect(error="BAD_REQUEST", path="ack")
    till.expect_stock()
    same(till.fetch_all(), [], "records")


def test_unknown_keys_of_a_document_are_kept_those_of_a_request_ignored(shop):
    till = shop.daemon().till("T01")
    document = sale("T01-1", {"sku": "A", "qty": 1, "vat": "7", "deep": {"x": [1, None, True]}},
                    colour="grün", card={"kind": "girocard"})
    till.put(document, unknown={"ignored": [1, 2]})
    till.expect(offset=0, unknown=ABSENT)
    [record] = till.fetch_all()
    same(record["value"], document, "journaled document")


def test_the_record_of_a_put_has_time_and_value(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1), seq=0))
    till.expect(offset=0)
    [record] = till.fetch_all()
    same(record, {"offset": 0, "time": lambda ms: isinstance(ms, int) and ms > 1_600_000_000_000,
                  "value": sale("T01-1", ("A", 1), seq=0)}, "record")
