"""groups: how far a group of readers has come, kept with the journal."""

from matching import ABSENT


def produce(till, count, topic="t"):
    for number in range(count):
        till.send(op="produce", topic=topic, value=number)
        till.expect(offset=number)


def commit(till, offset, group="g", topic="t", partition=0):
    till.send(op="commit", group=group, topic=topic, partition=partition, offset=offset)


def committed(till, group="g", topic="t", partition=0):
    till.send(op="committed", group=group, topic=topic, partition=partition)


def test_a_group_that_never_committed_is_at_minus_one(shop):
    till = shop.daemon().till()
    produce(till, 1)
    committed(till)
    till.expect(offset=-1)


def test_commit_is_what_committed_says(shop):
    till = shop.daemon().till()
    produce(till, 5)
    commit(till, 3)
    till.expect(offset=3)
    committed(till)
    till.expect(offset=3)


def test_a_commit_may_go_back_to_read_again(shop):
    till = shop.daemon().till()
    produce(till, 5)
    for offset in (5, 0, 2):
        commit(till, offset)
        till.expect(offset=offset)
        committed(till)
        till.expect(offset=offset)


def test_groups_and_topics_are_apart(shop):
    till = shop.daemon().till()
    produce(till, 5)
    produce(till, 5, topic="u")
    for offset, (group, topic) in enumerate((("g", "t"), ("h", "t"), ("g", "u"), ("g", "stock"))):
        if topic != "stock":
            commit(till, offset + 1, group=group, topic=topic)
            till.expect(offset=offset + 1)
    for offset, (group, topic) in enumerate((("g", "t"), ("h", "t"), ("g", "u"))):
        committed(till, group=group, topic=topic)
        till.expect(offset=offset + 1)
    committed(till, topic="stock")
    till.expect(offset=-1)


def test_a_commit_outlives_restarts_and_kills(shop):
    daemon = shop.daemon()
    till = daemon.till()
    produce(till, 5)
    commit(till, 4)
    till.expect(offset=4)
    daemon.kill9()
    daemon.start()
    till = daemon.till()
    committed(till)
    till.expect(offset=4)
    commit(till, 5)
    till.expect(offset=5)
    daemon.restart()
    till = daemon.till()
    committed(till)
    till.expect(offset=5)


def test_a_hundred_commits_in_one_go_end_with_the_last(shop):
    till = shop.daemon().till()
    produce(till, 100)
    for offset in range(101):
        commit(till, offset)
    for offset in range(101):
        till.expect(offset=offset)
    committed(till)
    till.expect(offset=100)


def test_commit_of_what_is_not_there_is_named(shop):
    till = shop.daemon().till()
    commit(till, 0, topic="nothing")
    till.expect(error="UNKNOWN_TOPIC")
    committed(till, topic="nothing")
    till.expect(error="UNKNOWN_TOPIC")
    produce(till, 1)
    commit(till, 0, partition=7)
    till.expect(error="UNKNOWN_PARTITION")
    committed(till, partition=7)
    till.expect(error="UNKNOWN_PARTITION")


def test_wrong_keys_are_named_by_path(shop):
    till = shop.daemon().till()
    produce(till, 1)
    good = {"op": "commit", "group": "g", "topic": "t", "partition": 0, "offset": 0}
    for path, value in (("group", ABSENT), ("group", 1), ("group", ""), ("group", "g" * 300),
                        ("topic", ABSENT), ("offset", ABSENT), ("offset", "0"), ("offset", -1),
                        ("partition", "0")):
        request = {**good, path: value}
        if value is ABSENT:
            del request[path]
        till.send(request)
        till.expect(error="BAD_REQUEST", path=path)
    committed(till)
    till.expect(offset=-1)
