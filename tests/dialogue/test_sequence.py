"""sequence: (terminal, seq) is journaled at most once, however often it is sent."""

from documents import receipt, sale
from matching import ABSENT, same

GAPS_KEPT = 256  # docs/protocol.md: the server remembers the newest 256 gaps of a terminal


def test_the_same_seq_again_is_a_duplicate_with_its_first_offset(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0, duplicate=ABSENT)
    till.put(receipt("T01-1", ("A", 1), seq=1))
    till.expect(offset=1)
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0, seq=0, duplicate=True)
    till.expect_stock(A="2")
    same(till.partition()["end"], 2, "end")


def test_the_same_seq_with_other_content_is_not_journaled(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0)
    till.put(receipt("T01-other", ("A", 100), seq=0))
    till.expect(offset=0, duplicate=True)
    till.expect_stock(A="1")


def test_a_duplicate_by_seq_with_ack_applied_is_answered_with_the_stock(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 3), seq=0))
    till.expect(offset=0)
    till.put(receipt("T01-0", ("A", 3), seq=0), ack="applied")
    till.expect(offset=0, duplicate=True, stock=[{"sku": "A", "on_hand": "3"}])


def test_the_same_seq_twice_in_one_go_is_journaled_once(shop):
    till = shop.daemon().till("T01")
    for _ in range(100):
        till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0, duplicate=ABSENT)
    for _ in range(99):
        till.expect(offset=0, duplicate=True)
    till.expect_stock(A="1")


def test_the_last_128_are_known_with_their_offset(shop):
    till = shop.daemon().till("T01")
    for seq in range(300):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq)
    for seq in range(300 - 128, 300):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq, duplicate=True)
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(duplicate=True, seq=0)
    till.expect_stock(A="300")


def test_a_duplicate_is_known_after_a_restart_with_or_without_its_offset(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0)
    daemon.restart()
    till = daemon.till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    reply = till.expect(duplicate=True, seq=0)
    same(reply.get("offset", 0), 0, "offset")
    till.expect_stock(A="1")


def test_a_skipped_seq_sent_later_is_taken_once(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0)
    till.put(receipt("T01-2", ("A", 1), seq=2))
    till.expect(offset=1)
    till.put(receipt("T01-1", ("A", 1), seq=1))
    till.expect(offset=2, duplicate=ABSENT)
    till.put(receipt("T01-1", ("A", 1), seq=1))
    till.expect(offset=2, duplicate=True)
    till.expect_stock(A="3")


def test_a_skipped_seq_sent_after_a_restart_is_taken_once(shop):
    daemon = shop.daemon()
    till = daemon.till("T01")
    till.put(receipt("T01-9", ("A", 1), seq=9))
    till.expect(offset=0)
    daemon.restart()
    till = daemon.till("T01")
    for seq in (3, 0, 8):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(duplicate=ABSENT)
    daemon.restart()
    till = daemon.till("T01")
    for seq in (0, 3, 8, 9):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(duplicate=True)
    till.put(receipt("T01-5", ("A", 1), seq=5))
    till.expect(duplicate=ABSENT, offset=4)
    till.expect_stock(A="5")


def test_seqs_that_come_backwards_are_all_taken(shop):
    till = shop.daemon().till("T01")
    for seq in range(200, -1, -1):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
    for offset in range(201):
        till.expect(offset=offset, duplicate=ABSENT)
    till.expect_stock(A="201")


def test_below_the_gaps_remembered_a_seq_is_too_old(shop):
    till = shop.daemon().till("T01")
    newest = 2 * (GAPS_KEPT + 50)
    for seq in range(0, newest + 1, 2):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(duplicate=ABSENT)
    till.put(receipt(f"T01-{newest - 1}", ("A", 1), seq=newest - 1))
    till.expect(duplicate=ABSENT)
    till.put(receipt("T01-1", ("A", 1), seq=1), tag="old")
    till.expect(error="SEQ_TOO_OLD", seq=1, tag="old")
    till.send(op="status")
    till.expect(partitions=[{"topic": "stock", "end": newest // 2 + 2}])


def test_without_seq_a_document_is_journaled_each_time_and_counts_once(shop):
    till = shop.daemon().till("T01")
    for offset in range(3):
        till.put(receipt("T01-0", ("A", 1)), ack="applied")
        till.expect(offset=offset, duplicate=ABSENT,
                    outcome="accepted" if offset == 0 else "duplicate",
                    stock=[{"sku": "A", "on_hand": "1"}])


def test_seq_must_be_an_integer_from_0_below_2_to_the_63(shop):
    till = shop.daemon().till("T01")
    for seq in (-1, 1.0, "1", None, True, 2**63, [1]):
        till.put(sale("T01-0", ("A", 1), seq=seq))
        till.expect(error="BAD_DOCUMENT", path="seq")
    till.put(sale("T01-0", ("A", 1), seq=2**63 - 1))
    till.expect(offset=0, seq=2**63 - 1)


