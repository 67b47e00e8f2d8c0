"""bad document: every fault has a path, and nothing of it is journaled."""

from documents import adjust, goods_back, receipt, sale
from matching import same
from waiting import Failure

GOOD_LINE = {"sku": "A", "qty": 1}


def refused(shop, *cases):
    """Puts each document and wants BAD_DOCUMENT at its path; then nothing may be journaled."""
    till = shop.daemon().till("T01")
    faults = []
    for path, document in cases:
        till.put(document)
        reply = till.reply()
        got = (reply.get("ok"), reply.get("error"), reply.get("path"))
        if got != (False, "BAD_DOCUMENT", path):
            faults.append(f"got {reply}, want BAD_DOCUMENT at {path}: {document}")
        elif not reply.get("message"):
            faults.append(f"no message: {reply}")
    if faults:
        raise Failure("\n".join(faults))
    same(till.partition()["end"], 0, "end")


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


def test_type(shop):
    good = sale("x", ("A", 1))
    refused(shop, ("type", without(good, "type")), ("type", {**good, "type": 1}),
            ("type", {**good, "type": None}), ("type", {**good, "type": "sa\nle"}))


def test_id(shop):
    good = sale("x", ("A", 1))
    refused(shop, ("id", without(good, "id")), ("id", {**good, "id": ""}),
            ("id", {**good, "id": 42}), ("id", {**good, "id": None}),
            ("id", {**good, "id": "x" * 65}), ("id", {**good, "id": "ä" * 33}),
            ("id", {**good, "id": "tab\there"}), ("id", {**good, "id": "del\u007f"}))


def test_an_id_of_64_bytes_is_taken(shop):
    till = shop.daemon().till("T01")
    till.put(sale("ä" * 32, ("A", 1)), ack="applied")
    till.expect(outcome="accepted")


def test_names(shop):
    good = sale("x", ("A", 1))
    refused(shop, ("shop", {**good, "shop": ""}), ("shop", {**good, "shop": "s" * 65}),
            ("shop", {**good, "shop": 1}), ("shop", {**good, "shop": "a\rb"}),
            ("terminal", {**good, "terminal": ""}), ("terminal", {**good, "terminal": 1}),
            ("terminal", {**good, "terminal": "t" * 65}),
            ("location", {**good, "location": ""}), ("location", {**good, "location": "l" * 65}),
            ("location", {**good, "location": 1}),
            ("operator", {**good, "operator": "o" * 65}), ("operator", {**good, "operator": 1012}),
            ("date", {**good, "date": 20261122}), ("date", {**good, "date": "d" * 65}),
            ("time", {**good, "time": 1}), ("time", {**good, "time": "1\n2"}))


def test_lines(shop):
    refused(shop, ("lines", {"type": "sale", "id": "x"}),
            ("lines", {"type": "sale", "id": "x", "lines": []}),
            ("lines", {"type": "sale", "id": "x", "lines": {}}),
            ("lines", {"type": "sale", "id": "x", "lines": None}),
            ("lines[0]", {"type": "sale", "id": "x", "lines": [1]}),
            ("lines[2]", {"type": "sale", "id": "x", "lines": [GOOD_LINE, GOOD_LINE, None]}),
            ("lines[1]", {"type": "receipt", "id": "x", "lines": [GOOD_LINE, []]}))


def test_sku(shop):
    refused(shop, ("lines[0].sku", sale("x", {"qty": 1})),
            ("lines[1].sku", sale("x", GOOD_LINE, {"sku": "", "qty": 1})),
            ("lines[0].sku", sale("x", {"sku": 4711, "qty": 1})),
            ("lines[0].sku", sale("x", {"sku": None, "qty": 1})),
            ("lines[0].sku", sale("x", {"sku": "s" * 65, "qty": 1})),
            ("lines[0].sku", sale("x", {"sku": "a\u0001", "qty": 1})))


def test_location_of_a_line(shop):
    refused(shop, ("lines[0].location", sale("x", {**GOOD_LINE, "location": ""})),
            ("lines[1].location", sale("x", GOOD_LINE, {**GOOD_LINE, "location": 1})),
            ("lines[0].location", sale("x", {**GOOD_LINE, "location": "l" * 65})))


def test_qty_that_is_no_quantity(shop):
    refused(shop, ("lines[0].qty", sale("x", {"sku": "A"})),
            *[("lines[0].qty", sale("x", ("A", quantity)))
              for quantity in (None, True, [], {}, "", " 1", "1 ", "+1", "one", "NaN", "Infinity",
                               "-Infinity", "0x10", "1,5", "1.", ".5", "--1", "1e", "1.2.3", "١")])


def test_qty_with_more_than_three_decimals(shop):
    refused(shop, *[("lines[1].qty", sale("x", GOOD_LINE, ("A", quantity)))
                    for quantity in ("1.0001", "0.0001", "1.0000", "1e-4", "123.4567", 0.0005)])


def test_qty_over_64_bits(shop):
    refused(shop, *[("lines[0].qty", sale("x", ("A", quantity)))
                    for quantity in ("9223372036854775.808", "9223372036854776", 10**30, "1e16",
                                     "9" * 400)])


def test_qty_1e400_is_refused_as_a_number_and_as_a_string(shop):
    till = shop.daemon().till("T01")
    for quantity in (b"1e400", b'"1e400"', b"1e999999999999", b"-1e400", b"1e-400",
                     b"1e-999999999999", b"0." + b"0" * 5000 + b"1"):
        till.send(b'{"op":"put","doc":{"type":"sale","id":"x","lines":[{"sku":"A","qty":'
                  + quantity + b'}]}}')
        till.expect(error="BAD_DOCUMENT", path="lines[0].qty")


def test_qty_must_be_above_zero_where_the_type_has_the_sign(shop):
    refused(shop, *[("lines[0].qty", make("x", ("A", quantity)))
                    for make in (sale, goods_back, receipt)
                    for quantity in (0, -1, "0", "-0.001", "0.000", "-0")])


def test_qty_of_an_adjustment_must_not_be_zero(shop):
    refused(shop, *[("lines[0].qty", adjust("x", ("A", quantity)))
                    for quantity in (0, "0", "0.000", "-0")])


def test_price(shop):
    refused(shop, *[("lines[0].price", sale("x", {**GOOD_LINE, "price": price}))
                    for price in ("1.00001", "free", "", None, True, [], "922337203685477.5808",
                                  "1e400", "NaN")])


def test_price_at_its_limits_is_taken(shop):
    till = shop.daemon().till("T01")
    for number, price in enumerate(("922337203685477.5807", "-922337203685477.5807", 0, "0.0001",
                                    1.5, -3)):
        till.put(sale(f"x-{number}", {**GOOD_LINE, "price": price}), ack="applied")
        till.expect(outcome="accepted")


def test_reason_of_an_adjustment(shop):
    good = adjust("x", ("A", 1))
    refused(shop, ("reason", without(good, "reason")), ("reason", {**good, "reason": ""}),
            ("reason", {**good, "reason": 1}), ("reason", {**good, "reason": "r" * 257}))


def test_a_reason_of_256_bytes_is_taken(shop):
    till = shop.daemon().till("T01")
    till.put(adjust("x", ("A", 1), reason="r" * 256), ack="applied")
    till.expect(outcome="accepted")


def test_retry_and_drop_must_say_what_of(shop):
    drop = {"type": "drop", "id": "x", "partition": 0, "offset": 0, "reason": "settled"}
    again = {"type": "retry", "id": "x", "partition": 0, "offset": 0}
    refused(shop, ("offset", without(again, "offset")), ("offset", {**again, "offset": -1}),
            ("offset", {**again, "offset": "0"}), ("partition", {**again, "partition": -1}),
            ("partition", {**again, "partition": "0"}), ("offset", without(drop, "offset")),
            ("reason", without(drop, "reason")), ("reason", {**drop, "reason": ""}))


def test_the_first_fault_names_the_path_of_a_late_line(shop):
    lines = [GOOD_LINE] * 500 + [{"sku": "B", "qty": "0.0001"}]
    refused(shop, ("lines[500].qty", {"type": "sale", "id": "x", "lines": lines}))


def test_a_key_twice_in_a_document_is_bad_json(shop):
    till = shop.daemon().till("T01")
    till.send(b'{"op":"put","doc":{"type":"sale","id":"x","id":"y","lines":[{"sku":"A","qty":1}]}}')
    till.expect(error="BAD_JSON")
    till.send(b'{"op":"put","doc":{"type":"sale","id":"x","lines":[{"sku":"A","qty":1,'
              b'"\\u0071ty":2}]}}')
    till.expect(error="BAD_JSON")


def test_after_a_bad_document_its_seq_is_still_free(shop):
    till = shop.daemon().till("T01")
    till.put(sale("x", ("A", "1.0001"), seq=0))
    till.expect(error="BAD_DOCUMENT", seq=0)
    till.put(sale("x", ("A", 1), seq=0))
    till.expect(offset=0, seq=0)
