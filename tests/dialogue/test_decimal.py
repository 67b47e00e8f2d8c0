"""decimal: quantities are exact thousandths, never floats."""

from documents import adjust, receipt, sale
from matching import same

# As it comes in JSON, and as it is told back.
EXACT = [(b"2", "2"), (b"2.0", "2"), (b"2.000", "2"), (b"0.575", "0.575"), (b'"0.575"', "0.575"),
         (b"0.1", "0.1"), (b"1e3", "1000"), (b"1.5e1", "15"), (b"5e-1", "0.5"),
         (b"125E-3", "0.125"), (b'"007"', "7"), (b"0.001", "0.001"), (b'"10.10"', "10.1"),
         (b"1000000", "1000000"), (b"9223372036854775.807", "9223372036854775.807"), (b"1e0", "1"),
         (b'"3e+2"', "300"), (b"1.005", "1.005"), (b"4.35", "4.35"), (b"0.300", "0.3")]


def test_quantities_are_told_back_exactly_without_trailing_zeros(shop):
    till = shop.daemon().till("T01")
    for number, (quantity, told) in enumerate(EXACT):
        till.send(b'{"op":"put","ack":"applied","doc":{"type":"receipt","id":"x-%d","lines":'
                  b'[{"sku":"sku-%d","qty":%s}]}}' % (number, number, quantity))
        till.expect(stock=[{"on_hand": told, "available": told}])


def test_negative_figures(shop):
    till = shop.daemon().till("T01")
    for number, (quantity, told) in enumerate(EXACT):
        till.send(b'{"op":"put","ack":"applied","doc":{"type":"sale","id":"x-%d","lines":'
                  b'[{"sku":"sku-%d","qty":%s}]}}' % (number, number, quantity))
        till.expect(stock=[{"on_hand": "-" + told, "available": "-" + told}])


def test_a_tenth_and_two_tenths_are_three_tenths(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("x", ("A", 0.1), ("A", 0.2)), ack="applied")
    till.expect(stock=[{"on_hand": "0.3"}])
    till.put(sale("y", ("A", "0.3")), ack="applied")
    till.expect(stock=[{"on_hand": "0"}])


def test_a_thousand_thousandths_are_one(shop):
    till = shop.daemon().till("T01")
    for number in range(1000):
        till.put(receipt(f"x-{number}", ("A", "0.001")), ack="none")
    till.put(sale("y", ("A", 1), check="hard"), ack="applied")
    till.expect(outcome="accepted", stock=[{"on_hand": "0"}])


def test_minus_three(shop):
    till = shop.daemon().till("T01")
    till.put(adjust("x", ("A", "-3.000")), ack="applied")
    till.expect(stock=[{"on_hand": "-3"}])


def test_the_journal_keeps_the_quantity_as_it_came(shop):
    till = shop.daemon().till("T01")
    till.send(b'{"op":"put","doc":{"type":"receipt","id":"x","lines":[{"sku":"A","qty":1.50e1}]}}')
    till.expect(offset=0)
    till.send(op="fetch", topic="stock", partition=0, offset=0)
    same(b'"qty":1.50e1' in till.reply_line(), True, "the raw quantity in the record")
