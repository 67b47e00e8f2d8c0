"""identity: a document's id counts once for its terminal, for ever."""

from documents import receipt, sale
from matching import ABSENT, same


def test_the_same_id_with_the_same_content_is_a_duplicate(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="accepted")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="duplicate", stock=[{"sku": "A", "on_hand": "5"}])
    till.send(op="dead")
    till.expect(dead=[])


def test_white_space_order_of_keys_escapes_and_seq_do_not_count(shop):
    till = shop.daemon().till("T01")
    till.send(b'{"op":"put","ack":"applied","doc":{"type":"receipt","id":"x-0","seq":0,'
              b'"operator":"Zo\xc3\xab","lines":[{"sku":"A","qty":5,"price":"1.20"}]}}')
    till.expect(outcome="accepted")
    till.send(b'{"op":"put","ack":"applied","doc": {"lines" : [ {"price":"1.20", "qty":5,\t'
              b'"sku":"\\u0041"} ], "operator":"Zo\\u00eb",  "id":"x-0","type":"receipt","seq":1}}')
    till.expect(outcome="duplicate", seq=1, stock=[{"sku": "A", "on_hand": "5"}])
    till.send(b'{"op":"put","ack":"applied","doc":{"type":"receipt","id":"x-0",'
              b'"operator":"Zo\xc3\xab","lines":[{"sku":"A","qty":5,"price":"1.20"}]}}')
    till.expect(outcome="duplicate", seq=ABSENT)


def test_the_same_id_with_other_content_is_a_conflict_and_changes_nothing(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="accepted")
    till.put(receipt("T01-0", ("A", 6)), ack="applied")
    till.expect(outcome="conflict", reason="ID_TAKEN", offset=1,
                stock=[{"sku": "A", "on_hand": "5"}])
    till.send(op="dead")
    till.expect(dead=[{"offset": 1, "id": "T01-0", "outcome": "conflict", "reason": "ID_TAKEN"}])


def test_the_first_stays_the_one_that_counts_after_a_conflict(shop):
    till = shop.daemon().till("T01")
    for quantity, outcome in ((5, "accepted"), (6, "conflict"), (5, "duplicate"), (6, "conflict")):
        till.put(receipt("T01-0", ("A", quantity)), ack="applied")
        till.expect(outcome=outcome, stock=[{"sku": "A", "on_hand": "5"}])


def test_one_id_of_two_terminals_are_two_documents(shop):
    daemon = shop.daemon()
    first, second = daemon.till("T01"), daemon.till("T02")
    first.put(receipt("0", ("A", 5)), ack="applied")
    first.expect(outcome="accepted")
    second.put(receipt("0", ("A", 5)), ack="applied")
    second.expect(outcome="accepted", stock=[{"on_hand": "10"}])


def test_an_id_is_known_after_a_restart(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="accepted")
    daemon.restart()
    till = daemon.till("T01")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="duplicate")
    till.put(sale("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="conflict")
    till.expect_stock(A="5")


def test_a_number_written_otherwise_is_other_content_or_the_same_but_never_counts_twice(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 5)), ack="applied")
    till.expect(outcome="accepted")
    till.put(receipt("T01-0", ("A", "5")), ack="applied")
    reply = till.expect(stock=[{"sku": "A", "on_hand": "5"}])
    same(reply["outcome"], lambda outcome: outcome in ("duplicate", "conflict"), "outcome")


def test_outcomes_are_counted(shop):
    till = shop.daemon().till("T01")
    for identity, kind, quantity in (("a", "sale", 1), ("a", "sale", 1), ("a", "sale", 2),
                                     ("b", "sale", 1), ("c", "wish", 1)):
        till.put({"type": kind, "id": identity, "lines": [{"sku": "A", "qty": quantity}]})
        till.expect()
    till.settle()
    till.send(op="status")
    till.expect(outcomes={"accepted": 2, "duplicate": 1, "conflict": 1, "rejected": 1}, dead=2)
