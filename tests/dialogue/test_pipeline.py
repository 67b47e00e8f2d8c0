"""pipeline: many requests in flight are answered in the order they were asked."""

from documents import receipt, sale
from matching import same, true


def request_number(number):
    """A mix of everything, each answer recognisable."""
    kind = number % 5
    if kind == 0:
        return {"op": "put", "doc": receipt(f"T01-{number}", ("A", 1), seq=number)}
    if kind == 1:
        return {"op": "produce", "topic": "t", "value": number}
    if kind == 2:
        return {"op": "stock", "sku": "A"}
    if kind == 3:
        return {"op": "put", "doc": sale(f"T01-{number}", ("B", 1)), "ack": "applied"}
    return {"op": "bogus"}


def test_a_thousand_mixed_requests_are_answered_in_order(shop):
    till = shop.daemon().till("T01")
    for number in range(1000):
        till.send(request_number(number), tag=number)
    for number in range(1000):
        if number % 5 == 4:
            till.expect(error="BAD_REQUEST", tag=number)
        else:
            till.expect(tag=number)
    till.expect_stock(A="200", B="-200")


def test_a_thousand_requests_in_one_write(shop):
    till = shop.daemon().till("T01")
    lines = b"".join(b'{"op":"put","doc":{"type":"sale","id":"x-%d","seq":%d,"lines":'
                     b'[{"sku":"A","qty":1}]}}\n' % (number, number) for number in range(1000))
    till.send_bytes(lines)
    for number in range(1000):
        till.expect(offset=number, seq=number)


def test_a_line_that_comes_byte_by_byte_is_one_line(shop):
    till = shop.daemon().till("T01")
    for byte in b'{"op":"put","doc":{"type":"sale","id":"x","lines":[{"sku":"A","qty":1}]}}\n':
        till.send_bytes(bytes([byte]))
    till.expect(offset=0)


def test_put_then_fetch_in_one_go_sees_the_put(shop):
    till = shop.daemon().till("T01")
    for number in range(50):
        till.put(sale(f"T01-{number}", ("A", 1)))
        till.send(op="fetch", topic="stock", partition=0, offset=number)
    for number in range(50):
        till.expect(offset=number)
        reply = till.expect(end=lambda end, number=number: end > number)
        same(reply["records"][0], {"offset": number, "value": {"id": f"T01-{number}"}}, "record")


def test_put_applied_then_stock_in_one_go_sees_it_in_the_figures(shop):
    till = shop.daemon().till("T01")
    for number in range(50):
        till.put(receipt(f"T01-{number}", ("A", 1)), ack="applied")
        till.send(op="stock", sku="A")
    for number in range(50):
        till.expect(outcome="accepted", stock=[{"on_hand": str(number + 1)}])
        reply = till.expect()
        true(reply["applied"][0] > number, f"applied: got {reply['applied']}")
        true(int(reply["stock"][0]["on_hand"]) > number, f"stock: got {reply['stock']}")


def test_put_then_hello_in_one_go_knows_the_seq(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1), seq=5))
    till.send(op="hello", terminal="T01")
    till.expect(seq=5)
    till.expect(last_seq=5)


def test_hello_then_put_in_one_go_belongs_to_the_terminal(shop):
    till = shop.daemon().till()
    till.send(op="hello", terminal="T09")
    till.put(sale("T09-1", ("A", 1), seq=0))
    till.expect(terminal="T09")
    till.expect(offset=0)
    same(till.fetch_all(), [{"value": {"terminal": "T09"}}], "records")


def test_commit_then_committed_in_one_go_sees_it(shop):
    till = shop.daemon().till("T01")
    till.send(op="produce", topic="t", value=1)
    till.send(op="commit", group="g", topic="t", partition=0, offset=1)
    till.send(op="committed", group="g", topic="t", partition=0)
    till.expect(offset=0)
    till.expect(offset=1)
    till.expect(offset=1)


def test_an_error_in_the_middle_harms_nobody(shop):
    till = shop.daemon().till("T01")
    till.put(sale("T01-1", ("A", 1)), ack="applied")
    till.send(b"this is no JSON")
    till.put(sale("T01-2", ("A", 1)), ack="applied")
    till.expect(offset=0)
    till.expect(error="BAD_JSON")
    till.expect(offset=1, stock=[{"on_hand": "-2"}])


def test_two_connections_of_one_terminal_share_its_counter(shop):
    daemon = shop.daemon()
    first, second = daemon.till("T01"), daemon.till("T01")
    first.put(sale("T01-0", ("A", 1), seq=0))
    first.expect(offset=0)
    second.put(sale("T01-0", ("A", 1), seq=0))
    second.expect(offset=0, duplicate=True)
    second.put(sale("T01-1", ("A", 1), seq=1))
    second.expect(offset=1)
    first.put(sale("T01-1", ("A", 1), seq=1))
    first.expect(offset=1, duplicate=True)
