"""disktest: a measured disk, and records that outlive a cut."""

import json
import os
import signal
import socket
import subprocess

from matching import same, true
from waiting import poll

RECORD_BYTES = 512


def measured(shop, *where):
    return json.loads(shop.tillq(*where, "disktest", "--json", "--seconds", "1",
                                 *([] if where else [shop.directory])).stdout)


def test_a_measurement_tells_what_it_found_and_leaves_nothing(shop):
    before = sorted(os.listdir(shop.directory))
    result = measured(shop)
    same(result["directory"], shop.directory, "directory")
    true(result["syncs"] > 0 and result["per_s"] > 0, f"nothing was synced: {result}")
    true(0 <= result["p50_us"] <= result["p99_us"] and result["max_us"] > 0, f"times: {result}")
    true(result["verdict"] in ("memory", "network", "layered", "suspicious", "fast", "usual",
                               "slow", "turning"), f"verdict: {result}")
    same(sorted(os.listdir(shop.directory)), before, "files")
    same(measured(shop, "-d", shop.directory)["directory"], shop.directory, "directory of -d")


def test_a_person_is_told_what_it_means_and_what_cannot_be_known(shop):
    said = shop.tillq("disktest", "--seconds", "1", shop.directory).stdout
    for words in ("median", "worst", "a second", "Only a power cut"):
        true(words in said, f"{words!r} is not in {said}")


def test_memory_is_named(shop):
    found = [line.split() for line in open("/proc/mounts", encoding="utf-8")]
    places = [words[1] for words in found if words[2] == "tmpfs" and os.access(words[1], os.W_OK)]
    for place in places[:1]:
        result = json.loads(shop.tillq("disktest", "--json", "--seconds", "1", place).stdout)
        same([result["verdict"], result["file_system"]], ["memory", "tmpfs"], place)


def test_a_slow_disk_is_seen(shop):
    environment = {**shop.environment(), "LD_PRELOAD": shop.shim("slow_sync"),
                   "TILLQ_SLOW_SYNC_US": "30000"}
    result = subprocess.run([shop.program("tillq"), "disktest", "--json", "--seconds", "1",
                             shop.directory], capture_output=True, check=True, env=environment)
    true(json.loads(result.stdout)["p50_us"] >= 30000, f"got {result.stdout}")


def test_a_directory_that_is_none_or_full_ends_with_1(shop):
    true("missing" in shop.tillq("disktest", shop.path("missing"), status=1).stderr, "no reason")
    for wrong in (["a", "b"], ["--after", "x"], ["--after", "x", "y"], ["--seconds", "0"],
                  ["--to", "nowhere", "."]):
        shop.tillq("disktest", *wrong, status=2)


def pull_the_plug(shop, *options):
    """Writes until a number above 20 was heard, then kill -9; the last number heard."""
    writer = subprocess.Popen([shop.program("tillq"), "disktest", "--pull-the-plug", *options,
                               shop.directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    last = -1
    while last < 20:
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    rest = writer.communicate()[0].split(b"\n")[:-1]
    return int(rest[-1]) if rest else last


def after(shop, number, status):
    return shop.tillq("disktest", "--json", "--after", shop.path("tillq-disktest.records"),
                      str(number), status=status).stdout


def test_what_was_told_before_the_plug_was_pulled_is_there(shop):
    last = pull_the_plug(shop)
    kept = json.loads(after(shop, last, 0))
    true(kept["kept"] and kept["there"] > last, f"got {kept} after {last}")
    shop.tillq("disktest", "--pull-the-plug", shop.directory, status=1)  # is not written over


def test_what_is_missing_torn_or_changed_is_lost(shop):
    last = pull_the_plug(shop)
    path = shop.path("tillq-disktest.records")
    os.truncate(path, RECORD_BYTES * last + 100)
    same(json.loads(after(shop, last, 1)), {"acknowledged": last, "there": last, "kept": False},
         "torn")
    same(json.loads(after(shop, last - 1, 0))["kept"], True, "the one before")
    with open(path, "r+b") as file:
        file.seek(RECORD_BYTES * 7 + 300)
        file.write(b"?!")
    same(json.loads(after(shop, last - 1, 1))["there"], 7, "records before the changed one")


def test_the_numbers_go_to_another_machine_too(shop):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen([shop.program("tillq"), "disktest", "--pull-the-plug", "--to",
                               address, "--records", "5", shop.directory],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            listener, _ = server.accept()
            heard = b""
            while data := listener.recv(4096):
                heard += data
            listener.close()
            same(heard.split(), [b"0", b"1", b"2", b"3", b"4"], "numbers heard")
            poll("the writer to end", lambda: writer.poll() == 0)
