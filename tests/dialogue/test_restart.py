"""restart: what was acknowledged is there, whatever ended the daemon."""

import glob
import os
import random
import signal

from documents import receipt, sale
from matching import same, true
from till import Till


def test_a_clean_stop_ends_with_0_and_loses_nothing(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(100):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
    for number in range(100):
        till.expect(offset=number)
    same(daemon.stop(), 0, "exit status")
    daemon.start()
    till = daemon.till()
    till.send(op="hello", terminal="T01")
    till.expect(last_seq=99)
    same([record["value"]["seq"] for record in till.fetch_all()], list(range(100)), "seqs")
    till.expect_stock(A="100")


def test_a_stop_takes_sigint_too(shop):
    daemon = shop.daemon()
    daemon.signal(signal.SIGINT)
    same(daemon.exit_status(), 0, "exit status")


def test_after_a_kill_everything_acknowledged_is_there(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(200):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
        till.expect(offset=number)
    daemon.kill9()
    daemon.start()
    till = daemon.till()
    till.send(op="hello", terminal="T01")
    till.expect(last_seq=199)
    same([record["value"]["id"] for record in till.fetch_all()],
         [f"x-{number}" for number in range(200)], "ids")
    till.expect_stock(A="200")


def test_kills_in_the_middle_of_a_pipeline_lose_and_double_nothing(shop):
    """The terminal sends everything again after each kill, from seq 0: nothing counts twice."""
    daemon = shop.daemon()
    dice = random.Random(4711)
    total, acknowledged = 300, {}
    for _ in range(4):
        heard = dice.randrange(1, total)
        till = daemon.till("T01")
        send_quietly(till, total)
        for _ in range(heard):
            reply = till.expect()
            if "offset" in reply:
                true(acknowledged.setdefault(reply["seq"], reply["offset"]) == reply["offset"],
                     f"seq {reply['seq']} moved to offset {reply['offset']}")
        daemon.kill9()
        daemon.start()
        expect_acknowledged(daemon.till(), acknowledged)
    till = daemon.till("T01")
    send_quietly(till, total)
    for number in range(total):
        till.expect(seq=number)
    till.expect_stock(A=str(total))
    same(till.partition()["end"], total, "records")


def send_quietly(till, total):
    till.send_bytes(b"".join(
        b'{"op":"put","doc":{"type":"receipt","id":"x-%d","seq":%d,'
        b'"lines":[{"sku":"A","qty":1}]}}\n'
        % (seq, seq) for seq in range(total)))


def expect_acknowledged(till, acknowledged):
    till.send(op="hello", terminal="T01")
    last = till.expect()["last_seq"]
    true(last >= max(acknowledged), f"last_seq: got {last}, acknowledged {max(acknowledged)}")
    found = {record["value"]["seq"]: record["offset"] for record in till.fetch_all()}
    for seq, offset in acknowledged.items():
        same(found.get(seq), offset, f"offset of seq {seq}")


def test_resending_everything_after_a_kill_changes_nothing(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for number in range(100):
        till.put(sale(f"x-{number}", ("A", 1), seq=number))
        till.expect()
    daemon.kill9()
    daemon.start()
    till = daemon.till("T01")
    for number in range(100):
        till.put(sale(f"x-{number}", ("A", 1), seq=number))
        till.expect(duplicate=True, seq=number)
    same(till.partition()["end"], 100, "end")
    till.expect_stock(A="-100")


def test_the_applier_goes_on_where_it_was_killed(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    for round_number in range(3):
        first = round_number * 1000
        till.send_bytes(b"".join(
            b'{"op":"put","ack":"none","doc":{"type":"receipt","id":"x-%d","lines":'
            b'[{"sku":"A","qty":1},{"sku":"B","qty":"0.5"}]}}\n' % number
            for number in range(first, first + 1000)))
        till.put(receipt(f"end-{round_number}", ("C", 1)))
        till.expect()
        daemon.kill9()
        daemon.start()
        till = daemon.till("T01")
    till.expect_stock(A="3000", B="1500", C="3")
    till.send(op="status")
    till.expect(outcomes={"accepted": 3003, "rejected": 0, "duplicate": 0, "conflict": 0})


def test_twenty_restarts_count_the_same(shop):
    daemon = shop.daemon()
    for number in range(20):
        till = daemon.till("T01")
        till.put(receipt(f"x-{number}", ("A", 1), seq=number), ack="applied")
        till.expect(offset=number, stock=[{"on_hand": str(number + 1)}])
        daemon.restart()
    daemon.till().expect_stock(A="20")


def test_a_lost_stock_file_is_made_again_at_start(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("x", ("A", 7)), ack="applied")
    till.expect()
    daemon.stop()
    for path in glob.glob(os.path.join(daemon.directory, "stock.db*")):
        os.unlink(path)
    daemon.start()
    daemon.till().expect_stock(A="7")


def test_a_till_that_comes_back_on_the_same_address_goes_on(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("x-0", ("A", 1), seq=0))
    till.expect()
    daemon.kill9()
    till.expect_closed()
    daemon.restart(same_address=True)
    again = Till(daemon.address)
    again.send(op="hello", terminal="T01")
    again.expect(last_seq=0)
    again.close()
