"""signals: going down with requests in flight, and reading the configuration again."""

import signal

from documents import receipt, sale
from matching import same, true
from waiting import poll

LIMITS = "[limits]\nmax_connections = {connections}\n"


def answers_until_closed(till):
    """All replies up to the end of the connection."""
    replies = []
    while (line := till.reply_line()) is not None:
        replies.append(line)
    return replies


def test_a_stop_answers_all_it_has_taken(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.send_bytes(b"".join(
        b'{"op":"put","doc":{"type":"receipt","id":"x-%d","seq":%d,'
        b'"lines":[{"sku":"A","qty":1}]}}\n'
        % (number, number) for number in range(2000)))
    till.expect(offset=0)
    daemon.signal(signal.SIGTERM)
    replies = answers_until_closed(till)
    same(daemon.exit_status(), 0, "exit status")
    for line in replies:
        true(b'"ok":true' in line, f"got {line!r}")
    daemon.start()
    same(daemon.till().partition()["end"], 1 + len(replies), "records journaled")


def test_a_stop_answers_those_who_wait_for_the_applier(shop):
    daemon = shop.daemon()
    tills = [daemon.till(f"T{number:02d}") for number in range(20)]
    for till in tills:
        till.put(sale(till.name, ("A", 1)), ack="applied")
    for till in tills:
        till.send(op="status", tag="last")
    tills[0].expect(outcome="accepted")
    daemon.signal(signal.SIGTERM)
    answered = 1
    for till in tills:
        for line in answers_until_closed(till):
            true(b'"ok":true' in line, f"got {line!r}")
            answered += b'"outcome":"accepted"' in line
    same(daemon.exit_status(), 0, "exit status")
    daemon.start()
    same(daemon.till().partition()["end"], answered, "records journaled")


def test_a_stop_does_not_wait_for_a_fetch_that_waits(shop):
    daemon = shop.daemon()
    till = daemon.till()
    till.send(op="fetch", topic="stock", partition=0, offset=0, wait_ms=60000)
    daemon.till().ask(op="status")
    daemon.signal(signal.SIGTERM)
    till.expect(records=[])
    till.expect_closed()
    same(daemon.exit_status(), 0, "exit status")


def test_a_stop_does_not_wait_for_a_till_that_never_reads(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("x", *[(f"sku-{number}", 1) for number in range(1000)]), ack="applied")
    till.expect()
    for _ in range(200):
        till.send(op="stock")
    daemon.till().ask(op="status")
    daemon.signal(signal.SIGTERM)
    same(daemon.exit_status(), 0, "exit status")


def test_a_second_term_does_no_harm(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(sale("x", ("A", 1)))
    till.expect()
    daemon.signal(signal.SIGTERM)
    if daemon.running():
        daemon.signal(signal.SIGTERM)
    same(daemon.exit_status(), 0, "exit status")


def test_nobody_is_let_in_once_it_goes_down(shop):
    daemon = shop.daemon()
    daemon.till().ask(op="status")
    daemon.stop()
    try:
        daemon.till()
    except ConnectionRefusedError:
        return
    true(False, "a stopped daemon still listens")


def test_a_reload_says_what_changed_and_takes_it_over(shop):
    daemon = shop.daemon(config=LIMITS.format(connections=10))
    daemon.reload(LIMITS.format(connections=2))
    daemon.expect_log("max_connections")
    tills = [daemon.till() for _ in range(2)]
    for till in tills:
        till.ask(op="status")
    third = daemon.till()
    third.expect(error="TOO_MANY_CONNECTIONS")
    third.expect_closed()


def test_a_reload_says_what_needs_a_restart(shop):
    daemon = shop.daemon(config="[journal]\njournal_cache = 1 MiB\n")
    daemon.reload("[journal]\njournal_cache = 4 MiB\n")
    daemon.expect_log("journal_cache")
    poll("the word restart", lambda: "restart" in daemon.log())


def test_a_reload_of_a_bad_configuration_changes_nothing_and_says_where(shop):
    daemon = shop.daemon(config=LIMITS.format(connections=10))
    daemon.may_log_errors = True
    daemon.reload("[limits]\nmax_connections = none\n")
    daemon.expect_log("data.conf:2")
    for till in [daemon.till() for _ in range(5)]:
        till.ask(op="status")


def test_a_reload_of_the_log_level_is_heard(shop):
    daemon = shop.daemon(config="[daemon]\nlog_level = notice\n")
    daemon.reload("[daemon]\nlog_level = debug\n")
    daemon.expect_log("log_level")


def test_sighup_without_a_configuration_is_no_harm(shop):
    daemon = shop.daemon()
    daemon.signal(signal.SIGHUP)
    daemon.till().ask(op="status")


def test_a_reload_disturbs_no_request(shop):
    daemon = shop.daemon(config=LIMITS.format(connections=10))
    till = daemon.till("T01")
    for number in range(300):
        if number % 100 == 50:
            daemon.configure(LIMITS.format(connections=10 + number))
            daemon.signal(signal.SIGHUP)
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect(offset=number)
