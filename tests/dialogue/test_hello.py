"""hello: who a terminal is and where its counter stood."""

from documents import sale
from matching import ABSENT, same


def test_first_hello_has_no_last_seq(shop):
    till = shop.daemon().till()
    till.send(op="hello", terminal="T01", shop="0001")
    reply = till.expect(protocol=1, terminal="T01", shop="0001", last_seq=-1)
    same(reply["server"].split(" ")[0], "tillqd", "server")


def test_hello_without_shop_gets_the_daemons(shop):
    till = shop.daemon(config="[daemon]\nshop = 0815\n").till()
    till.send(op="hello", terminal="T01")
    till.expect(terminal="T01", shop="0815")


def test_hello_tells_the_highest_seq_journaled(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for seq in (0, 1, 7):
        till.put(sale(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(seq=seq)
    again = daemon.till()
    again.send(op="hello", terminal="T01")
    again.expect(last_seq=7)


def test_each_terminal_has_a_counter_of_its_own(shop):
    daemon = shop.daemon()
    first, second = daemon.till("T01"), daemon.till("T02")
    first.put(sale("T01-1", ("A", 1), seq=41))
    first.expect(offset=0)
    second.put(sale("T02-1", ("A", 1), seq=3))
    second.expect(offset=1)
    first.send(op="hello", terminal="T01")
    first.expect(last_seq=41)
    second.send(op="hello", terminal="T02")
    second.expect(last_seq=3)


def test_last_seq_outlives_a_restart(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(sale("T01-1", ("A", 1), seq=9223372036854775806))
    till.expect(seq=9223372036854775806)
    daemon.restart()
    again = daemon.till()
    again.send(op="hello", terminal="T01")
    again.expect(last_seq=9223372036854775806)


def test_after_hello_a_document_may_leave_out_terminal_and_shop(shop):
    till = shop.daemon().till("T07", shop="0042")
    till.put(sale("T07-1", ("A", 1)))
    till.expect(offset=0)
    [record] = till.fetch_all()
    same(record["value"], {"terminal": "T07", "shop": "0042", "type": "sale"}, "journaled document")


def test_without_hello_a_document_must_name_its_terminal(shop):
    till = shop.daemon().till()
    till.put(sale("T01-1", ("A", 1)))
    till.expect(error="BAD_DOCUMENT", path="terminal")
    till.put(sale("T01-1", ("A", 1), terminal="T01"))
    till.expect(offset=0)


def test_without_hello_the_shop_is_the_documents_or_the_daemons(shop):
    till = shop.daemon(config="[daemon]\nshop = 0815\n").till()
    till.put(sale("T01-1", ("A", 1), terminal="T01"), ack="applied")
    till.expect(stock=[{"shop": "0815", "sku": "A", "on_hand": "-1"}])
    till.put(sale("T01-2", ("A", 1), terminal="T01", shop="0042"), ack="applied")
    till.expect(stock=[{"shop": "0042", "sku": "A", "on_hand": "-1"}])


def test_what_a_document_says_of_its_shop_goes_before_hello(shop):
    till = shop.daemon().till("T01", shop="0001")
    till.put(sale("T01-1", ("A", 1), shop="0002"), ack="applied")
    till.expect(stock=[{"shop": "0002", "on_hand": "-1"}])


def test_hello_needs_a_terminal(shop):
    till = shop.daemon().till()
    till.send(op="hello")
    till.expect(error="BAD_REQUEST", path="terminal")
    till.send(op="hello", terminal="")
    till.expect(error="BAD_REQUEST", path="terminal")
    till.send(op="hello", terminal=7)
    till.expect(error="BAD_REQUEST", path="terminal")
    till.send(op="hello", terminal="T" * 65)
    till.expect(error="BAD_REQUEST", path="terminal")
    till.send(op="hello", terminal="T\t1")
    till.expect(error="BAD_REQUEST", path="terminal")
    till.send(op="hello", terminal="T" * 64)
    till.expect(terminal="T" * 64)


def test_hello_needs_a_shop_that_fits(shop):
    till = shop.daemon().till()
    till.send(op="hello", terminal="T01", shop="S" * 65)
    till.expect(error="BAD_REQUEST", path="shop")
    till.send(op="hello", terminal="T01", shop=1)
    till.expect(error="BAD_REQUEST", path="shop")


def test_a_failed_hello_changes_nothing(shop):
    till = shop.daemon().till("T01")
    till.send(op="hello", terminal="T" * 65)
    till.expect(error="BAD_REQUEST")
    till.put(sale("T01-1", ("A", 1), seq=0))
    till.expect(offset=0)
    same(till.fetch_all(), [{"value": {"terminal": "T01"}}], "records")


def test_a_second_hello_makes_the_connection_another_terminal(shop):
    till = shop.daemon().till("T01")
    till.send(op="hello", terminal="T02")
    till.expect(terminal="T02", last_seq=-1)
    till.put(sale("x", ("A", 1)))
    till.expect(offset=0, seq=ABSENT)
    same(till.fetch_all(), [{"value": {"terminal": "T02"}}], "records")
