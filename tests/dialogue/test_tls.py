"""tls: a sale through TLS: which versions, whose certificate, how it ends, how it is configured."""

import os
import shutil
import ssl

from certificates import SERVER_NAMES, Authority, TlsTill, addresses, openssl
from documents import receipt, sale
from matching import ABSENT, same, true
from waiting import Failure, poll


def start(shop, authority, **options):
    return shop.daemon(listen=None, config=authority.config(**options))


def expect_no_agreement(shop, address, context, *words):
    """The handshake must fail, and one of the words be in the reason."""
    try:
        TlsTill(shop, address, context).ask(op="status")
    except (ssl.SSLError, ConnectionResetError) as error:
        true(any(word in str(error) for word in words), f"got {error}, want one of {words}")
    else:
        raise Failure("a connection that should not have come about")


def test_a_sale_over_tls_1_3_and_1_2(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    for number, version in enumerate((ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)):
        till = TlsTill(shop, daemon.address, authority.context(version=version))
        cipher, spoken, _ = till.socket.cipher()
        true("GCM" in cipher or "CHACHA20" in cipher, f"got the suite {cipher}")
        same(spoken, ("TLSv1.3", "TLSv1.2")[number], "version")
        same(till.socket.compression(), None, "compression")
        same(till.socket.session.has_ticket if till.socket.session else False, False, "ticket")
        till.ask(op="hello", terminal=f"T{number}")
        till.put(sale(f"x-{number}", ("A", 2), seq=0), ack="applied")
        till.expect(offset=number, outcome="accepted", stock=[{"on_hand": str(-2 - 2 * number)}])
    same(daemon.address.startswith("tls:127.0.0.1:"), True, "the ready line says TLS")


def test_the_better_version_is_taken_where_both_are_offered(shop):
    authority = Authority(shop)
    till = TlsTill(shop, start(shop, authority).address, authority.context())
    same(till.socket.version(), "TLSv1.3", "version")


def test_old_versions_and_suites_without_authentication_are_refused(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    old = authority.context(version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    expect_no_agreement(shop, daemon.address, old, "alert protocol version", "ALERT")
    chained = authority.context(version=ssl.TLSVersion.TLSv1_2)
    chained.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")
    expect_no_agreement(shop, daemon.address, chained, "handshake failure")
    daemon.expect_log("tls_handshake: 127.0.0.1:")
    TlsTill(shop, daemon.address, authority.context()).ask(op="status")


def test_a_till_that_trusts_another_authority_refuses_the_server(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    stranger = Authority(shop, "stranger")
    expect_no_agreement(shop, daemon.address, stranger.context(), "CERTIFICATE_VERIFY_FAILED")
    daemon.expect_log("tls_handshake: ")
    TlsTill(shop, daemon.address, authority.context()).ask(op="status")


def test_plain_and_tls_stand_side_by_side(shop):
    authority = Authority(shop)
    unix = f"unix:{shop.path('till.sock')}"
    daemon = start(shop, authority, listen=("tls:127.0.0.1:0", unix, "127.0.0.1:0"))
    secret, _, plain = addresses(daemon)
    same(daemon.address, plain, "the plain address is the one announced")
    tills = [daemon.till(), daemon.till(address=unix),
             TlsTill(shop, secret, authority.context())]
    for number, till in enumerate(tills):
        till.ask(op="hello", terminal=f"T{number}")
        till.put(receipt("x", ("A", 1), seq=0), ack="applied")
        till.expect(offset=number, stock=[{"on_hand": str(number + 1)}])


def test_thousands_pipelined_both_ways(shop):
    authority = Authority(shop)
    till = TlsTill(shop, start(shop, authority).address, authority.context())
    till.ask(op="hello", terminal="T01")
    count = 3000
    lines = [b'{"op":"put","doc":{"type":"receipt","id":"x-%d","seq":%d,'
             b'"lines":[{"sku":"A","qty":1}]}}\n' % (number, number) for number in range(count)]
    for number in range(0, count, 2):  # a record for two of them
        till.send_bytes(b"".join(lines[number:number + 2]))
    for number in range(count):
        till.expect(offset=number, seq=number)
    till.send_bytes(b"".join(lines))  # and all in records as large as can be
    for number in range(count):
        till.expect(offset=number, duplicate=True)
    till.expect_stock(A=str(count))


def test_large_lines_and_large_replies(shop):
    authority = Authority(shop)
    till = TlsTill(shop, start(shop, authority).address, authority.context())
    values = [str(number) * 900_000 for number in range(4)]
    for number, value in enumerate(values):
        till.send(op="produce", topic="large", value=value)
        till.expect(offset=number)
    for number in range(4):
        till.send(op="fetch", topic="large", offset=number, max=1)
    for number, value in enumerate(values):
        same(till.expect(end=4)["records"][0]["value"] == value, True, f"value {number} came whole")


def test_bytes_one_by_one(shop):
    authority = Authority(shop)
    till = TlsTill(shop, start(shop, authority).address, authority.context())
    for byte in b'{"op":"hello","terminal":"T01"}\n':
        till.send_bytes(bytes([byte]))
    till.expect(last_seq=-1)


def put_two_and(half_close, shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    till = TlsTill(shop, daemon.address, authority.context())
    till.ask(op="hello", terminal="T01")
    till.put(receipt("x", ("A", 1), seq=0), ack="applied")
    till.put(receipt("y", ("A", 1), seq=1), ack="applied")
    half_close(till)
    till.expect(offset=0)
    till.expect(offset=1, stock=[{"on_hand": "2"}])
    till.expect_closed()


def test_who_says_farewell_still_gets_his_answers(shop):
    put_two_and(TlsTill.say_farewell, shop)


def test_who_ends_his_half_without_farewell_still_gets_his_answers(shop):
    put_two_and(TlsTill.end_socket, shop)


def test_a_farewell_is_answered_with_one(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    till = TlsTill(shop, daemon.address, authority.context())
    till.ask(op="status")
    till.say_farewell()
    till.socket.suppress_ragged_eofs = False  # an end without farewell is an error then
    till.expect_closed()
    log = daemon.log()
    same("tls_handshake" in log or "connection_broken" in log, False, "a complaint in the log")


def test_a_kill_loses_nothing_that_was_acknowledged(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    till = TlsTill(shop, daemon.address, authority.context())
    till.ask(op="hello", terminal="T01")
    for number in range(50):
        till.put(receipt(f"x-{number}", ("A", 1), seq=number))
    for number in range(50):
        till.expect(offset=number)
    daemon.kill9()
    daemon.start()
    again = TlsTill(shop, daemon.address, authority.context())
    same(again.ask(op="hello", terminal="T01")["last_seq"], 49, "last_seq")
    again.put(receipt("x-49", ("A", 1), seq=49))
    again.expect(offset=49, duplicate=True)
    again.put(receipt("x-50", ("A", 1), seq=50))
    again.expect(offset=50, duplicate=ABSENT)
    again.expect_stock(A="51")


def test_a_stop_answers_what_was_taken_and_says_farewell(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    till = TlsTill(shop, daemon.address, authority.context())
    till.ask(op="hello", terminal="T01")
    till.socket.suppress_ragged_eofs = False  # an end without farewell is an error then
    same(daemon.stop(), 0, "exit status")
    till.expect_closed()


# --- the certificate anew


def serial(till):
    return till.socket.getpeercert()["serialNumber"]


def test_a_reload_takes_a_new_certificate_for_new_connections(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    before = TlsTill(shop, daemon.address, authority.context())
    old = serial(before)
    authority.issue("server", SERVER_NAMES)
    same(serial(TlsTill(shop, daemon.address, authority.context())), old, "before the reload")
    daemon.reload(authority.config())
    daemon.expect_log("reload: done")
    after = TlsTill(shop, daemon.address, authority.context())
    true(serial(after) != old, f"the serial number is still {old}")
    before.ask(op="hello", terminal="T01")  # who was there stays
    after.ask(op="hello", terminal="T02")


def test_what_does_not_load_leaves_the_old_one_in_place(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    daemon.may_log_errors = True
    old = serial(TlsTill(shop, daemon.address, authority.context()))
    authority.issue("other")
    shutil.copy(authority.path("other.key"), authority.path("server.key"))
    daemon.reload(authority.config(limits="max_connections = 7"))
    daemon.expect_log("does not belong to the certificate")
    daemon.expect_log(f"nothing changed: {daemon.config_path}:5: private_key: ")
    poll("the old certificate",
         lambda: serial(TlsTill(shop, daemon.address, authority.context())) == old)
    authority.issue("server", SERVER_NAMES)
    daemon.reload(authority.config())
    daemon.expect_log("reload: done")
    true(serial(TlsTill(shop, daemon.address, authority.context())) != old, "the new certificate")


def test_a_certificate_that_is_about_to_end_is_told(shop):
    authority = Authority(shop)
    authority.issue("server", SERVER_NAMES, days=15)
    daemon = start(shop, authority)
    authority.issue("server", SERVER_NAMES, days=3)
    same("certificate_ends" in daemon.log(), False, "a warning of 15 days")
    daemon.reload(authority.config())
    daemon.expect_log("<4>certificate_ends: the certificate ends in ")
    authority.issue("server", SERVER_NAMES, days=-1)
    daemon.stop()
    daemon.start()
    daemon.expect_log("<4>certificate_ends: the certificate is out of its dates")
    expect_no_agreement(shop, daemon.address, authority.context(), "expired")


# --- configuration


def refused(shop, text, *words):
    """--check-config and a start must refuse it with these words, and say nothing of the key."""
    path = shop.path("bad.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    for arguments in (("--check-config", "-c", path), ("-c", path, "-d", shop.path("data"))):
        message = shop.tillqd(*arguments, status=2).stderr
        for word in words:
            true(word in message, f"got {message!r}, want {word!r} in it")
        same(len(message.splitlines()), 1, "lines")


def test_a_sound_configuration_passes_the_check(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    path = shop.path("good.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(authority.client_config("required", listen=("tls:0.0.0.0:0",)))
    shop.tillqd("--check-config", "-c", path)


def test_what_is_wrong_with_the_files_is_named(shop):
    authority = Authority(shop)
    bad = shop.path("bad.conf")
    key = authority.path("server.key")
    sound = authority.config()
    os.chmod(key, 0o644)
    refused(shop, sound, f"{bad}:5: private_key: {key}: is open to others (mode 0644)")
    os.chmod(key, 0o660)
    refused(shop, sound, f"{bad}:5: private_key: {key}: is open to others (mode 0660)")
    os.chmod(key, 0o600)
    refused(shop, sound.replace("server.crt", "none.crt"), f"{bad}:4: certificate: ",
            "none.crt: No such file")
    refused(shop, sound.replace("server.key", "none.key"), f"{bad}:5: private_key: ",
            "none.key: No such file")
    refused(shop, sound.replace("server.crt", "server.ext"), f"{bad}:4: certificate: ")
    refused(shop, sound.replace("server.key", "server.crt"), f"{bad}:5: private_key: ")
    refused(shop, sound.replace("server.crt", "ca.crt"), "does not belong to the certificate")
    refused(shop, authority.client_config("optional").replace("ca.crt", "server.ext"),
            f"{bad}:6: client_ca: ")


def test_keys_that_belong_together_are_asked_for(shop):
    authority = Authority(shop)
    bad = shop.path("bad.conf")
    sound = authority.config()
    certificate, key = (f"{name} = {authority.path('server' + end)}\n" for name, end in
                        (("certificate", ".crt"), ("private_key", ".key")))
    refused(shop, sound.replace(certificate, "").replace(key, ""), "listen: tls:127.0.0.1:0 needs")
    refused(shop, sound.replace(certificate, ""), f"{bad}:4: private_key: ")
    refused(shop, sound.replace(key, ""), f"{bad}:4: certificate: ")
    refused(shop, authority.config(more="client_certificates = optional"),
            f"{bad}:6: client_certificates: needs client_ca")
    refused(shop, authority.config(more=f"client_ca = {authority.certificate}"),
            f"{bad}:6: client_ca: is for nothing")
    refused(shop, authority.config(more="client_certificates = yes"), "none, optional or required")
    refused(shop, authority.config(listen=("tls:unix:/x",)), "listen: ")
    refused(shop, authority.config(listen=("tls:0.0.0.0:0",)), "listen: ", "auth = none")


def test_an_encrypted_key_is_refused_and_nobody_is_asked(shop):
    authority = Authority(shop)
    key = authority.path("server.key")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:open sesame", "-out", key + ".new")
    os.replace(key + ".new", key)
    os.chmod(key, 0o600)
    refused(shop, authority.config(), "is encrypted")
