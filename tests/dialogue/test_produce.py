"""produce: any JSON value into any topic, kept byte for byte."""

from documents import receipt
from matching import ABSENT, same, true
from till import encode

VALUES = [b'"text"', b'""', b'"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"',
          b'"\\u00e4 \\n \\/ \\ud83d\\ude00"',
          b'0', b'-0', b'1', b'1.50', b'1.5e+3', b'1E400', b'123456789012345678901234567890',
          b'0.1000000000000000055511151231257827', b'null', b'true', b'false', b'[]', b'{}',
          b'[1, 2,\t3 ]', b'{ "b" : 1, "a" : [ {} ] }', b'[[[[[[[[[[1]]]]]]]]]]']


def test_a_new_topic_is_made(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="new", value={"a": 1})
    till.expect(topic="new", partition=0, offset=0)
    till.send(op="produce", topic="new", value={"a": 2})
    till.expect(topic="new", partition=0, offset=1)
    till.send(op="produce", topic="newer", value=1)
    till.expect(topic="newer", offset=0)
    same(sorted(entry["topic"] for entry in till.ask(op="status")["partitions"]),
         ["new", "newer", "stock"], "topics")


def test_values_are_kept_byte_for_byte(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for offset, value in enumerate(VALUES):
        till.send(b'{"op":"produce","topic":"t","value":' + value + b'}')
        till.expect(offset=offset)
    expect_values(till)
    daemon.restart()
    expect_values(daemon.till())


def expect_values(till):
    for offset, value in enumerate(VALUES):
        till.send(op="fetch", topic="t", partition=0, offset=offset, max=1)
        line = till.reply_line()
        true(b'"value":' + value in line, f"value: got {line!r}, want {value!r} in it")


def test_key_and_headers_are_kept(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="t", key="k€y \"1\"", value=1,
              headers={"a": "1", "ü": "", "b": "\t"})
    till.expect(offset=0)
    till.send(op="produce", topic="t", key="", value=2, headers={})
    till.expect(offset=1)
    till.send(op="fetch", topic="t", partition=0, offset=0)
    till.expect(records=[
        {"key": "k€y \"1\"", "headers": {"a": "1", "ü": "", "b": "\t"}, "value": 1},
        {"key": "", "value": 2}])


def test_without_key_and_headers_the_record_has_none(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="t", value=1)
    till.expect(offset=0)
    [record] = till.fetch_all("t")
    same((record.get("key"), record.get("headers") or None), (None, None), "key and headers")


def test_one_batch_mixes_records_with_and_without_key_and_headers(shop):
    till = shop.daemon().till()
    requests = [{"value": 0}, {"value": 1, "key": "one"}, {"value": "two", "headers": {"h": "2"}},
                {"value": None, "key": "", "headers": {"a": "x" * 1000}}, {"value": [4]}] * 40
    till.send_bytes(b"".join(encode({"op": "produce", "topic": "t", **request}) + b"\n"
                             for request in requests))
    for offset in range(len(requests)):
        till.expect(offset=offset)
    for got, want in zip(till.fetch_all("t"), requests):
        same({key: value for key, value in got.items() if value not in (None, {})
              and key not in ("offset", "time")},
             {key: value for key, value in want.items() if value is not None}, "record")


def test_a_value_is_needed(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="t")
    till.expect(error="BAD_REQUEST", path="value")
    till.send(op="produce", topic="t", value=None)
    till.expect(offset=0)


def test_wrong_types_are_named_by_path(shop):
    till = shop.daemon().till()
    for path, fields in (("topic", {}), ("topic", {"topic": 1}), ("key", {"topic": "t", "key": 1}),
                         ("headers", {"topic": "t", "headers": []}),
                         ("headers", {"topic": "t", "headers": {"a": 1}})):
        till.send(op="produce", value=1, **fields)
        till.expect(error="BAD_REQUEST", path=path)
    till.send(op="fetch", topic="t", partition=0, offset=0)
    till.expect(error="UNKNOWN_TOPIC")


def test_topic_names_are_checked(shop):
    till = shop.daemon().till()
    for topic in ("", "a b", "ä", "a/b", "tillq_x", "sqlite_x", "x" * 101, "a'b", "a\u0001"):
        till.send(op="produce", topic=topic, value=1)
        till.expect(error="BAD_REQUEST", path="topic")
    for topic in ("a", "A.b_c-x9", "x" * 100, "-", "select", "0"):
        till.send(op="produce", topic=topic, value=topic)
        till.expect(topic=topic, offset=0)
        till.send(op="fetch", topic=topic, partition=0, offset=0)
        till.expect(records=[{"value": topic}])


def test_topics_whose_names_differ_only_in_case_are_two(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="Prices", value=1)
    till.expect(offset=0)
    till.send(op="produce", topic="prices", value=2)
    till.expect(offset=0)
    same(till.fetch_all("Prices"), [{"value": 1}], "Prices")
    same(till.fetch_all("prices"), [{"value": 2}], "prices")


def test_there_are_at_most_256_topics(shop):
    till = shop.daemon().till("T01")
    for number in range(255):
        till.send(op="produce", topic=f"t{number}", value=number)
        till.expect(offset=0)
    till.send(op="produce", topic="one-too-many", value=1)
    till.expect(error="TOO_MANY_TOPICS")
    till.send(op="produce", topic="t0", value=1)
    till.expect(offset=1)
    till.send(op="status")
    till.expect(journal={"state": "ok"}, applier={"state": "ok"})
    till.put(receipt("r", ("A", 1)), ack="applied")
    till.expect(outcome="accepted")


def test_topics_outlive_a_restart(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for number in range(3):
        till.send(op="produce", topic="t", value=number)
        till.expect(offset=number)
    daemon.restart()
    till = daemon.till()
    same([record["value"] for record in till.fetch_all("t")], [0, 1, 2], "values")
    till.send(op="produce", topic="t", value=3)
    till.expect(offset=3)


def test_a_good_document_produced_into_stock_counts(shop):
    till = shop.daemon().till()
    till.send(op="produce", topic="stock",
              value=receipt("x", ("A", 3), terminal="T01", shop="0001"))
    till.expect(topic="stock", offset=0)
    till.expect_stock(A="3")


def test_what_the_applier_cannot_digest_is_rejected_and_the_next_goes_on(shop):
    till = shop.daemon().till("T01")
    bad = [None, 1, "sale", [], {}, {"type": "sale"}, {"type": "sale", "id": "x"},
           receipt("x", ("A", "NaN"), terminal="T01", shop="0001"),
           receipt("x", ("A", "1.0001"), terminal="T01", shop="0001"),
           receipt("i" * 65, ("A", 1), terminal="T01", shop="0001")]
    for offset, value in enumerate(bad):
        till.send(op="produce", topic="stock", value=value)
        till.expect(offset=offset)
    till.put(receipt("good", ("A", 1)), ack="applied")
    till.expect(offset=len(bad), outcome="accepted", stock=[{"on_hand": "1"}])
    dead = till.ask(op="dead")["dead"]
    same(dead, [{"offset": offset, "outcome": "rejected", "reason": "BAD_DOCUMENT"}
                for offset in range(len(bad))], "dead")


def test_a_produced_record_and_a_put_share_the_partition(shop):
    till = shop.daemon().till("T01")
    till.send(op="produce", topic="stock", value="nonsense")
    till.put(receipt("x", ("A", 1)), ack="applied")
    till.expect(offset=0)
    till.expect(offset=1, outcome="accepted", duplicate=ABSENT)
