"""places: what leaves one place arrives at another; nothing is made and nothing is lost."""

import os
import random
import sqlite3

from documents import adjust, goods_back, receipt, sale
from matching import same, true

KINDS = (sale, goods_back, receipt, adjust)


def random_documents(count):
    dice = random.Random(20261122)
    for number in range(count):
        make = dice.choice(KINDS)
        lines = [{"sku": f"sku-{dice.randrange(20)}",
                  "qty": f"{dice.randrange(1, 9)}.{dice.randrange(1000):03d}",
                  "location": dice.choice(("main", "cellar"))}
                 for _ in range(dice.randrange(1, 6))]
        if make is adjust and dice.random() < 0.5:
            lines = [{**line, "qty": "-" + line["qty"]} for line in lines]
        identity = f"x-{number if dice.random() < 0.9 else dice.randrange(number + 1)}"
        yield make(identity, *lines, check=dice.choice(("none", "warn", "hard")))


def business(shop):
    daemon = shop.daemon()
    till = daemon.till("T01", shop="0001")
    for document in random_documents(600):
        till.put(document, ack="none")
    till.settle()
    return daemon, till


def thousandths(text):
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * (int(whole) * 1000 + int(fraction.ljust(3, "0")))


def test_the_movements_of_each_sku_add_up_to_its_stock(shop):
    _, till = business(shop)
    rows = till.ask(op="stock")["stock"]
    true(len(rows) == 40, f"got {len(rows)} rows")
    for row in rows:
        total, after = 0, {}
        while True:
            reply = till.ask(op="movements", sku=row["sku"], shop=row["shop"],
                             location=row["location"], **after)
            total += sum(thousandths(one["qty"]) for one in reply["movements"])
            if "next" not in reply:
                break
            after = {"after": reply["next"]}
        same(total, thousandths(row["on_hand"]), f"movements of {row['sku']}")


def test_balances_run_on_from_movement_to_movement(shop):
    _, till = business(shop)
    for row in till.ask(op="stock", location="main")["stock"]:
        reply = till.ask(op="movements", sku=row["sku"], location="main", limit=1000)
        balance = 0
        for one in reversed(reply["movements"]):
            balance += thousandths(one["qty"])
            same(thousandths(one["balance"]), balance, f"balance of {row['sku']}")


def test_what_leaves_one_place_arrives_at_another(shop):
    daemon, _ = business(shop)
    path = os.path.join(daemon.directory, "stock.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        per_sku = database.execute("""
            WITH side AS (
              SELECT stock, to_place AS place, quantity_milli AS milli FROM movement
              UNION ALL SELECT stock, from_place, -quantity_milli FROM movement)
            SELECT s.sku, sum(milli), sum(CASE p.name WHEN 'shelf' THEN milli ELSE 0 END)
            FROM side JOIN stock s ON s.id = side.stock JOIN place p ON p.id = side.place
            GROUP BY s.sku""").fetchall()
        on_hand = dict(database.execute("SELECT sku, sum(on_hand_milli) FROM stock GROUP BY sku"))
        odd = database.execute("SELECT count(*) FROM movement WHERE quantity_milli <= 0 "
                               "OR from_place = to_place").fetchone()[0]
    same(len(per_sku), 20, "skus that moved")
    for sku, everywhere, shelf in per_sku:
        same(everywhere, 0, f"all places of {sku}")
        same(shelf, on_hand[sku], f"shelf of {sku}")
    same(odd, 0, "movements of nothing or to nowhere")


def test_a_rebuild_gives_the_same_figures(shop):
    daemon, till = business(shop)
    before = (till.ask(op="stock")["stock"], till.ask(op="dead")["dead"],
              till.ask(op="movements", sku="sku-1")["movements"],
              till.ask(op="status")["outcomes"])
    daemon.stop()
    shop.tillq("-d", daemon.directory, "rebuild")
    daemon.start()
    till = daemon.till()
    after = (till.ask(op="stock")["stock"], till.ask(op="dead")["dead"],
             till.ask(op="movements", sku="sku-1")["movements"], till.ask(op="status")["outcomes"])
    for name, one, other in zip(("stock", "dead", "movements", "outcomes"), after, before):
        same(one, other, name)
