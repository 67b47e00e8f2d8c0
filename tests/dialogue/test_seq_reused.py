"""seq reused: a till that lost count is told so; it must not lose its sales in silence."""

from documents import receipt
from matching import ABSENT


def test_a_reused_seq_within_the_window_is_warned_of(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("before-0", ("A", 1), seq=0))
    till.expect(offset=0, warning=ABSENT)
    till.put(receipt("after-0", ("A", 1), seq=0))
    till.expect(offset=0, duplicate=True, warning="SEQ_REUSED")
    till.expect_stock(A="1")


def test_a_reused_seq_beyond_the_window_is_warned_of(shop):
    till = shop.daemon().till("T01")
    for seq in range(200):
        till.put(receipt(f"before-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq)
    till.put(receipt("after-0", ("A", 1), seq=0))
    till.expect(duplicate=True, warning="SEQ_REUSED")
    till.put(receipt("after-0", ("A", 1), seq=0), ack="applied")
    till.expect(duplicate=True, warning="SEQ_REUSED")


def test_an_honest_resend_beyond_the_window_has_its_offset_and_no_warning(shop):
    till = shop.daemon().till("T01")
    for seq in range(200):
        till.put(receipt(f"T01-{seq}", ("A", 1), seq=seq))
        till.expect(offset=seq)
    till.put(receipt("T01-3", ("A", 1), seq=3))
    till.expect(offset=3, duplicate=True, warning=ABSENT)


def test_a_resend_in_the_same_breath_has_no_warning(shop):
    till = shop.daemon().till("T01")
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.put(receipt("T01-0", ("A", 1), seq=0))
    till.expect(offset=0, duplicate=ABSENT)
    till.expect(offset=0, duplicate=True, warning=ABSENT)
