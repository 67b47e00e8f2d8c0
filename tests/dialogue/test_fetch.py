"""fetch: reading a topic's records by offset, waiting for the next one."""

import time

from documents import sale
from matching import ABSENT, same, true
from waiting import poll


def fetch(till, offset, topic="t", **fields):
    till.send(op="fetch", topic=topic, partition=0, offset=offset, **fields)


def produce(till, count, topic="t", first=0):
    for number in range(first, first + count):
        till.send(op="produce", topic=topic, value=number)
    for number in range(first, first + count):
        till.expect(topic=topic, partition=0, offset=number)


def test_fetch_gives_records_start_and_end(shop):
    till = shop.daemon().till()
    produce(till, 3)
    fetch(till, 0)
    till.expect(start=0, end=3, records=[{"offset": 0, "value": 0}, {"offset": 1, "value": 1},
                                         {"offset": 2, "value": 2}])


def test_fetch_from_the_middle_and_at_most_max(shop):
    till = shop.daemon().till()
    produce(till, 10)
    fetch(till, 4, max=3)
    till.expect(start=0, end=10, records=[{"offset": 4}, {"offset": 5}, {"offset": 6}])


def test_fetch_from_the_middle_of_one_batch(shop):
    till = shop.daemon().till("T01")
    till.send_bytes(b"".join(b'{"op":"produce","topic":"t","value":%d}\n' % number
                             for number in range(500)))
    for number in range(500):
        till.expect(offset=number)
    for offset in (0, 1, 250, 498, 499):
        fetch(till, offset, max=1)
        till.expect(records=[{"offset": offset, "value": offset}], end=500)


def test_fetch_at_the_end_gives_nothing_at_once(shop):
    till = shop.daemon().till()
    produce(till, 2)
    fetch(till, 2)
    till.expect(records=[], start=0, end=2)


def test_fetch_gives_500_by_default_and_at_most_1000(shop):
    till = shop.daemon().till()
    produce(till, 1500)
    fetch(till, 0, max=5000)
    reply = till.expect(end=1500)
    same(len(reply["records"]), 1000, "records")
    fetch(till, 0)
    same(len(till.expect()["records"]), 500, "records by default")


def test_fetch_outside_of_start_and_end_is_out_of_range_with_both(shop):
    till = shop.daemon().till()
    produce(till, 2)
    fetch(till, 3, tag="above")
    till.expect(error="OFFSET_OUT_OF_RANGE", start=0, end=2, tag="above")
    fetch(till, 2**62)
    till.expect(error="OFFSET_OUT_OF_RANGE", start=0, end=2)


def test_fetch_of_what_is_not_there_is_named(shop):
    till = shop.daemon().till()
    fetch(till, 0, topic="nothing")
    till.expect(error="UNKNOWN_TOPIC")
    produce(till, 1)
    till.send(op="fetch", topic="t", partition=1, offset=0)
    till.expect(error="UNKNOWN_PARTITION")


def test_the_topic_stock_is_there_from_the_start(shop):
    till = shop.daemon().till()
    fetch(till, 0, topic="stock")
    till.expect(records=[], start=0, end=0)


def test_fetch_needs_its_keys(shop):
    till = shop.daemon().till()
    good = {"op": "fetch", "topic": "stock", "partition": 0, "offset": 0}
    for path, value in (("topic", ABSENT), ("topic", 1), ("offset", ABSENT), ("offset", "0"),
                        ("offset", -1), ("offset", 0.5), ("partition", "0"), ("max", 0),
                        ("max", "1"), ("max", -1), ("wait_ms", -1), ("wait_ms", "1")):
        request = {**good, path: value}
        if value is ABSENT:
            del request[path]
        till.send(request)
        till.expect(error="BAD_REQUEST", path=path)


def test_a_fetch_that_waits_is_woken_by_a_put(shop):
    daemon = shop.daemon()
    reader, till = daemon.till(), daemon.till("T01")
    fetch(reader, 0, topic="stock", wait_ms=60000)
    till.put(sale("T01-0", ("A", 1)))
    till.expect(offset=0)
    reader.expect(records=[{"offset": 0, "value": {"id": "T01-0"}}], end=1)


def test_a_fetch_that_waits_is_woken_by_a_produce_to_its_topic_only(shop):
    daemon = shop.daemon()
    reader, writer = daemon.till(), daemon.till()
    produce(writer, 1, topic="wanted")
    fetch(reader, 1, topic="wanted", wait_ms=60000)
    produce(writer, 20, topic="other")
    true(reader.nothing_came(), "a record of another topic answered the fetch")
    produce(writer, 1, topic="wanted", first=1)
    reader.expect(records=[{"offset": 1, "value": 1}], end=2)


def test_a_fetch_that_waits_in_vain_ends_empty(shop):
    till = shop.daemon().till()
    fetch(till, 0, topic="stock", wait_ms=50)
    till.expect(records=[], start=0, end=0)


def test_a_fetch_that_waits_holds_up_only_its_own_connection(shop):
    daemon = shop.daemon()
    reader, other = daemon.till(), daemon.till()
    fetch(reader, 0, topic="stock", wait_ms=60000, tag="waits")
    reader.send(op="status", tag="behind")
    for _ in range(10):
        other.ask(op="status")
    true(reader.nothing_came(), "something overtook the fetch that waits")
    other.send(op="put", doc=sale("x", ("A", 1), terminal="T01"))
    other.expect(offset=0)
    reader.expect(tag="waits", end=1)
    reader.expect(tag="behind")


def test_many_fetches_wait_for_one_record(shop):
    daemon = shop.daemon()
    readers = [daemon.till() for _ in range(50)]
    for reader in readers:
        fetch(reader, 0, topic="stock", wait_ms=60000)
    till = daemon.till("T01")
    till.put(sale("T01-0", ("A", 1)))
    till.expect(offset=0)
    for reader in readers:
        reader.expect(records=[{"offset": 0}])


def test_one_who_waits_and_hangs_up_is_forgotten(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for _ in range(20):
        reader = daemon.till()
        fetch(reader, 0, topic="stock", wait_ms=60000)
        reader.close()
    poll("the connections to be gone", lambda: till.ask(op="status")["connections"] == 1)
    till.put(sale("T01-0", ("A", 1)))
    till.expect(offset=0)


def test_a_reader_that_follows_gets_each_record_once_in_order(shop):
    daemon = shop.daemon()
    reader, writer = daemon.till(), daemon.till()
    produce(writer, 1)
    seen = []
    for number in range(1, 301):
        writer.send(op="produce", topic="t", value=number)
    while len(seen) < 301:
        fetch(reader, len(seen), wait_ms=60000, max=7)
        seen += [record["value"] for record in reader.expect()["records"]]
    same(seen, list(range(301)), "values")


def test_a_fetch_is_about_1_mib_but_always_one_record(shop):
    till = shop.daemon(config="[limits]\nmax_line = 4 MiB\n").till()
    value = "x" * 3_000_000
    for number in range(3):
        till.send(op="produce", topic="big", value=value)
        till.expect(offset=number)
    fetch(till, 0, topic="big")
    reply = till.expect(end=3)
    same([record["offset"] for record in reply["records"]], [0], "offsets")
    for number in range(40):
        till.send(op="produce", topic="middle", value="y" * 100_000)
        till.expect(offset=number)
    fetch(till, 0, topic="middle")
    reply = till.expect(end=40)
    same(len(reply["records"]), lambda count: 5 <= count <= 20, "records in about 1 MiB")


def test_records_carry_the_time_they_were_taken_in_ms(shop):
    till = shop.daemon().till()
    before_ms = int(time.time() * 1000)
    produce(till, 3)
    after_ms = int(time.time() * 1000)
    for record in till.fetch_all("t"):
        same(record["time"], lambda ms: before_ms <= ms <= after_ms, "time")
