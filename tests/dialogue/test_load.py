"""load: the load generator resumes, survives the daemon's death, and its proof can fail."""

import json
import subprocess

from documents import receipt
from matching import same, true
from waiting import PATIENCE_S, poll


def load(shop, daemon, *arguments, status=0):
    result = shop.tillq("-s", daemon.address, "load", "--json", *arguments, status=status)
    return json.loads(result.stdout)


def start_load(shop, daemon, *arguments):
    """Left running; its figures come from finish()."""
    return subprocess.Popen([shop.program("tillq"), "-s", daemon.address, "load", "--json",
                             *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=shop.environment())


def finish(process, status=0):
    output, errors = process.communicate(timeout=PATIENCE_S * 4)
    same(process.returncode, status, f"exit status of load, which says {errors!r}")
    return json.loads(output)


def journaled(daemon):
    with_status = daemon.till()
    end = with_status.ask(op="status")["partitions"][0]["end"]
    with_status.close()
    return end


def test_made_up_receipts_are_all_counted(shop):
    daemon = shop.daemon()
    figures = load(shop, daemon, "--generate", "500", "--terminals", "7")
    same((figures["documents"], figures["proof"]), (500, "agrees"), "figures")
    same(journaled(daemon), 500, "records")


def test_a_second_run_sends_only_what_is_missing(shop):
    daemon = shop.daemon()
    load(shop, daemon, "--generate", "500", "--limit", "200", "--terminals", "4")
    figures = load(shop, daemon, "--generate", "500", "--terminals", "4")
    same((figures["documents"], figures["journaled_before"], figures["proof"]),
         (300, 200, "agrees"), "figures")
    same(journaled(daemon), 500, "records")


def test_receipts_of_a_file_become_sales_returns_and_corrections(shop):
    daemon = shop.daemon()
    path = shop.path("receipts.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("invoice,sku,qty,time,price\n"
                   "1,A,3,2026-11-22T10:00:00Z,1.5\n1,B,1,2026-11-22T10:00:00Z,2\n"
                   "C2,A,-1,2026-11-22T10:05:00Z,1.5\n"
                   "3,B,-4,2026-11-22T10:06:00Z,0\n"
                   "A4,X,1,2026-11-22T10:07:00Z,9.99\n")
    figures = load(shop, daemon, "--receipts", path, "--terminals", "2")
    same((figures["documents"], figures["lines"], figures["proof"]), (3, 4, "agrees"), "figures")
    daemon.till().expect_stock(A="-2", B="-5")


def test_a_bad_line_of_the_file_is_named_and_nothing_sent(shop):
    daemon = shop.daemon()
    path = shop.path("receipts.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("invoice,sku,qty,time,price\n1,A,3,2026-11-22T10:00:00Z,1.5\n1,B,x,2026,2\n")
    result = shop.tillq("-s", daemon.address, "load", "--receipts", path, status=None)
    true(result.returncode != 0 and "3" in result.stderr, f"got {result.stderr!r}, want line 3")
    same(journaled(daemon), 0, "records")


def test_the_daemon_may_die_in_the_middle(shop):
    daemon = shop.daemon()
    process = start_load(shop, daemon, "--generate", "4000", "--terminals", "5", "--resend", "20")
    for part in (500, 1500, 2500):
        poll(f"{part} documents to be journaled", lambda part=part: journaled(daemon) >= part)
        daemon.kill9()
        daemon.restart(same_address=True)
    figures = finish(process)
    same((figures["documents"], figures["proof"]), (4000, "agrees"), "figures")
    same(journaled(daemon), 4000, "records")


def test_the_proof_fails_when_somebody_else_moves_the_stock(shop):
    daemon = shop.daemon()
    process = start_load(shop, daemon, "--generate", "100000", "--duration", "2")
    poll("a document to be journaled", lambda: journaled(daemon) > 0)
    stranger = daemon.till("stranger")
    stranger.put(receipt("foreign", ("foreign-sku", 1), seq=0))
    stranger.expect(seq=0)
    figures = finish(process, status=1)
    same((figures["proof"], figures["differences"]), ("differs", 1), "figures")
