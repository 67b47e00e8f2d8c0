"""authority: a terminal sends for itself; management sends for others too."""

from documents import receipt, sale
from matching import same

MANAGEMENT = "[listen]\nmanagement = M01 M02\n"


def test_a_document_of_another_terminal_is_refused(shop):
    till = shop.daemon().till("T01")
    till.put(sale("x", ("A", 1), terminal="T02", seq=0))
    till.expect(error="TERMINAL_MISMATCH", seq=0)
    till.put(sale("x", ("A", 1), terminal="T01", seq=0))
    till.expect(offset=0)


def test_management_sends_for_others(shop):
    daemon = shop.daemon(config=MANAGEMENT)
    manager = daemon.till("M02")
    manager.put(receipt("x", ("A", 1), terminal="T02", seq=5))
    manager.expect(offset=0, seq=5)
    other = daemon.till()
    other.send(op="hello", terminal="T02")
    other.expect(last_seq=5)
    manager.put(receipt("x", ("A", 1)))
    manager.expect(offset=1)
    same(manager.fetch_all(), [{"value": {"terminal": "T02"}}, {"value": {"terminal": "M02"}}],
         "records")


def test_who_is_not_listed_is_not_management(shop):
    daemon = shop.daemon(config=MANAGEMENT)
    for terminal in ("M0", "M03", "M01 M02", "m01"):
        till = daemon.till(terminal)
        till.put(sale("x", ("A", 1), terminal="T01"))
        till.expect(error="TERMINAL_MISMATCH")


def test_management_is_taken_over_by_a_reload(shop):
    daemon = shop.daemon(config="[listen]\nmanagement =\n")
    till = daemon.till("M01")
    till.put(sale("x", ("A", 1), terminal="T01"))
    till.expect(error="TERMINAL_MISMATCH")
    daemon.reload("[listen]\nmanagement = M01\n")
    till = daemon.till("M01")
    till.put(sale("x", ("A", 1), terminal="T01"))
    till.expect(offset=0)
