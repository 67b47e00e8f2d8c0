"""garbage: whatever comes down the line, it is answered by name and the next till is served."""

import random

from documents import receipt, sale
from matching import ABSENT, same, true

MIB = 1 << 20
GOOD = b'{"op":"status","tag":"good"}'
SERVED = "[limits]\nmax_line = 1 KiB\n"


def status_of_length(length):
    """A good status request of exactly so many bytes, LF not counted."""
    head, tail = b'{"op":"status","tag":"', b'"}'
    return head + b"x" * (length - len(head) - len(tail)) + tail


def expect_served(daemon):
    """Another till, and one with a document, are served as ever."""
    till = daemon.till("T77")
    till.put(receipt("served", ("S", 1)), ack="applied")
    till.expect(stock=[{"sku": "S", "on_hand": "1"}])


def bad_json(shop, *lines):
    """Each line gets BAD_JSON with a message, and the connection lives on."""
    daemon = shop.daemon()
    till = daemon.till()
    for line in lines:
        till.send(line)
        till.expect(error="BAD_JSON", message=lambda text: len(text) > 0)
        till.send(GOOD)
        till.expect(tag="good")
    expect_served(daemon)


def test_a_line_of_exactly_the_limit_is_taken(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send(status_of_length(MIB))
    till.expect(tag=lambda tag: len(tag) > MIB - 100)
    till.send(GOOD)
    till.expect(tag="good")


def test_a_line_over_the_limit_is_refused_and_closed(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send(status_of_length(MIB + 1))
    till.expect(error="LINE_TOO_LONG")
    till.expect_closed()
    expect_served(daemon)


def test_the_limit_can_be_set(shop):
    daemon = shop.daemon(config=SERVED)
    till = daemon.till()
    till.send(status_of_length(1024))
    till.expect()
    till.send(status_of_length(1025))
    till.expect(error="LINE_TOO_LONG")
    till.expect_closed()


def test_cr_lf_does_not_count_as_part_of_the_line(shop):
    till = shop.daemon(config=SERVED).till()
    till.send(status_of_length(1024) + b"\r")
    till.expect()


def test_a_line_without_end_is_cut_off_at_the_limit(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send_bytes(b"x" * (MIB + 2))
    till.expect(error="LINE_TOO_LONG")
    till.expect_closed()
    expect_served(daemon)


def test_what_was_asked_before_a_line_too_long_is_answered_first(shop):
    till = shop.daemon(config=SERVED).till("T01")
    for number in range(10):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
    till.send(b"y" * 2000)
    for number in range(10):
        till.expect(offset=number)
    till.expect(error="LINE_TOO_LONG")
    till.expect_closed()


def test_half_a_line_then_gone(shop):
    daemon = shop.daemon()
    for half in (b"", b"{", b'{"op":"put","doc":{"type":"sale","id":"x","lines":[{"sku":"A"'):
        till = daemon.till()
        till.send_bytes(half)
        till.close()
    expect_served(daemon)
    same(daemon.till().partition()["end"], 1, "end")


def test_half_a_line_then_the_end_is_not_a_request(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.send_bytes(b'{"op":"put","doc":{"type":"sale","id":"x","lines":[{"sku":"A","qty":1}]}}')
    till.stop_sending()
    till.reply_line()
    expect_served(daemon)
    same([record["value"]["id"] for record in daemon.till().fetch_all()], ["served"], "records")


def test_binary_noise(shop):
    daemon = shop.daemon()
    dice = random.Random(20261122)
    for length in (1, 10, 1000, 100_000):
        till = daemon.till()
        noise = dice.randbytes(length).replace(b"\n", b"")
        till.send(noise)
        if noise.strip():
            till.expect(error="BAD_JSON")
        till.send(GOOD)
        till.expect(tag="good")
    expect_served(daemon)


def test_what_is_no_json(shop):
    bad_json(shop, b"hello", b"{", b"}", b'{"op":"status"', b'{"op":"status"}}',
             b'{"op":"status"} x', b"{'op':'status'}", b'{"op":"status",}', b'{op:"status"}',
             b'{"op" "status"}', b'{"op":"status"}{"op":"status"}', b"GET / HTTP/1.1",
             b"\x16\x03\x01\x02\x00", b",",
             b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b'{"a":1e}', b'{"a":-}',
             b'{"a":NaN}', b'{"a":tru}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":"unended}',
             b'{"a":[1,]}',
             b'\xef\xbb\xbf{"op":"status"}')


def test_what_is_json_but_no_object(shop):
    bad_json(shop, b"1", b'"status"', b"null", b"true", b"[]", b'[{"op":"status"}]')


def test_depth_32_is_taken_and_33_refused(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for depth in (1, 31):
        till.send(b'{"op":"status","a":' + b"[" * depth + b"]" * depth + b"}")
        till.expect()
    for depth in (32, 33, 1000, 500_000):
        till.send(b'{"op":"status","a":' + b"[" * depth + b"]" * depth + b"}")
        till.expect(error="BAD_JSON")
    till.send(b"[" * 500_000)
    till.expect(error="BAD_JSON")
    expect_served(daemon)


def test_invalid_utf8(shop):
    bad_json(shop, *[b'{"op":"status","a":"' + text + b'"}' for text in (
        b"\xff", b"\x80", b"\xc3", b"\xc0\xaf", b"\xe0\x80\x80", b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\\ud800", b"\\udc00",
        b"\\ud800\\u0041")])


def test_nul_bytes(shop):
    bad_json(shop, b'{"op":"status"}\x00', b'\x00{"op":"status"}', b"\x00", b'{"op":"sta\x00tus"}',
             b'{"op":"status","a":"\\u0000"}', b'{"a\\u0000":1,"op":"status"}')


def test_control_characters_in_strings(shop):
    bad_json(shop, b'{"op":"status","a":"\t"}', b'{"op":"status","a":"\x01"}', b'{"op":"\x1f"}')


def test_a_key_twice(shop):
    bad_json(shop, b'{"op":"status","op":"status"}', b'{"op":"status","tag":1,"tag":1}',
             b'{"op":"status","\\u006fp":"hello"}', b'{"op":"status","a":{"b":1,"c":2,"b":3}}',
             b'{"op":"status","a":[{"":1,"":2}]}')


def test_many_keys_are_no_slow_way_to_say_nothing(shop):
    daemon = shop.daemon()
    till = daemon.till()
    keys = b",".join(b'"k%d":0' % number for number in range(90_000))
    till.send(b'{"op":"status",' + keys + b"}")
    till.expect()
    till.send(b'{"op":"status",' + keys + b',"k0":0}')
    till.expect(error="BAD_JSON")
    expect_served(daemon)


def test_huge_numbers_are_only_text(shop):
    daemon = shop.daemon()
    till = daemon.till()
    for number in (b"1e999999999", b"-1e-999999999", b"9" * 100_000, b"0." + b"0" * 100_000 + b"1"):
        till.send(b'{"op":"status","a":' + number + b"}")
        till.expect()
        till.send(b'{"op":"fetch","topic":"stock","partition":0,"offset":' + number + b"}")
        till.expect(error="BAD_REQUEST", path="offset")
        till.send(b'{"op":"status","tag":' + number + b"}")
        till.expect(error="BAD_REQUEST", path="tag")


def test_cr_lf_is_accepted(shop):
    till = shop.daemon().till()
    till.send_bytes(b'{"op":"hello","terminal":"T01"}\r\n{"op":"status","tag":2}\r\n')
    till.expect(terminal="T01")
    till.expect(tag=2)


def test_empty_lines_are_answered_or_passed_over_but_harm_nobody(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send_bytes(b"\n\r\n  \n\n" + GOOD + b"\n")
    replies = []
    while not replies or replies[-1].get("tag") != "good":
        replies.append(till.reply())
    for reply in replies[:-1]:
        same(reply, {"ok": False, "error": "BAD_JSON"}, "reply to an empty line")
    expect_served(daemon)


def test_white_space_around_a_request_is_json(shop):
    till = shop.daemon().till()
    till.send(b' \t{ "op" :\t"status" , "tag" : "spaced" } \t\r')
    till.expect(tag="spaced")


def test_an_unknown_op_is_named(shop):
    till = shop.daemon().till()
    for line in (b"{}", b'{"op":null}', b'{"op":1}', b'{"op":""}', b'{"op":"STATUS"}',
                 b'{"op":"drop table"}', b'{"doc":{}}'):
        till.send(line)
        till.expect(error="BAD_REQUEST", path="op")
    till.send(b'{"op":"statu\\u0073","tag":"escaped"}')
    till.expect(tag="escaped")


def test_a_request_with_an_escaped_key_is_understood(shop):
    till = shop.daemon().till()
    till.send(b'{"\\u006fp":"status","t\\u0061g":"x"}')
    till.expect(tag="x")


def test_mutations_of_a_good_line_never_stop_the_daemon(shop):
    daemon = shop.daemon()
    dice = random.Random(42)
    good = (b'{"op":"put","ack":"applied","tag":7,"doc":{"type":"sale","id":"x-1","terminal":"T01",'
            b'"seq":1,"lines":[{"sku":"A","qty":"0.575","price":3.80}]}}')
    till = daemon.till()
    for _ in range(2000):
        line = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(line))
            line[place:place + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        till.send(bytes(line).replace(b"\n", b"").replace(b'"none"', b'"nono"'))
        reply = till.reply()
        true(reply["ok"] or reply["error"] in ("BAD_JSON", "BAD_REQUEST", "BAD_DOCUMENT",
                                               "SEQ_TOO_OLD"), f"got {reply} to {bytes(line)!r}")
    expect_served(daemon)


def test_errors_of_a_request_keep_its_tag_out_of_bad_json(shop):
    till = shop.daemon().till()
    till.send(b'{"op":"status","tag":"lost"')
    till.expect(error="BAD_JSON", tag=ABSENT)
    till.put(sale("x", ("A", 1)), tag="kept")
    till.expect(error="BAD_DOCUMENT", tag="kept")
