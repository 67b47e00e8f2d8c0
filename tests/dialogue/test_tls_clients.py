"""tls clients: certificates that make a connection a terminal's."""

import json
import os
import ssl

from certificates import Authority, TlsTill, addresses
from documents import sale
from matching import same, true
from waiting import Failure


def start(shop, authority, certificates="required", **options):
    return shop.daemon(listen=None, config=authority.client_config(certificates, **options))


def connect(shop, daemon, authority, client=None, version=None):
    return TlsTill(shop, daemon.address, authority.context(client=client, version=version))


def expect_refused(shop, daemon, authority, client, *words):
    """In TLS 1.3 the refusal comes after the client's side is done: with its first read."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        try:
            connect(shop, daemon, authority, client, version).ask(op="status")
        except (ssl.SSLError, ConnectionError) as error:
            true(any(word in str(error) for word in words), f"got {error}, want one of {words}")
        else:
            raise Failure(f"{client}: served through {version}")


def test_a_certificate_makes_the_connection_its_terminals(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    daemon = start(shop, authority)
    for number, version in enumerate((ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)):
        till = connect(shop, daemon, authority, "T01", version)
        till.put(sale(f"x-{number}", ("A", 1), seq=number))  # without hello
        till.expect(offset=number)
        till.put(sale("y", ("A", 1), seq=7, terminal="T02"))
        till.expect(error="TERMINAL_MISMATCH")
        till.send(op="hello", terminal="T02")
        till.expect(error="TERMINAL_MISMATCH")
        same(till.ask(op="hello", terminal="T01", shop="0042")["last_seq"], number, "last_seq")
    same([record["value"]["terminal"] for record in till.fetch_all()], ["T01", "T01"], "terminals")


def test_an_id_that_a_uri_must_encode(shop):
    authority = Authority(shop)
    authority.issue_till("second", uri="tillq:terminal:Kasse%202")
    daemon = start(shop, authority)
    till = connect(shop, daemon, authority, "second")
    same(till.ask(op="hello", terminal="Kasse 2")["terminal"], "Kasse 2", "terminal")


def test_no_certificate_where_one_is_required(shop):
    authority = Authority(shop)
    daemon = start(shop, authority)
    expect_refused(shop, daemon, authority, None, "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE",
                   "certificate required", "handshake failure")
    daemon.expect_log("tls_handshake: 127.0.0.1:")
    daemon.expect_log("peer did not return a certificate")


def test_no_certificate_where_one_is_optional(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    daemon = start(shop, authority, "optional")
    nobody = connect(shop, daemon, authority)
    nobody.ask(op="hello", terminal="T07")
    known = connect(shop, daemon, authority, "T01")
    known.send(op="hello", terminal="T07")
    known.expect(error="TERMINAL_MISMATCH")


def test_a_certificate_of_another_authority_is_refused(shop):
    authority, stranger = Authority(shop), Authority(shop, "stranger")
    stranger.issue_till("T01")
    for certificates in ("optional", "required"):
        daemon = shop.daemon(directory=certificates, listen=None,
                             config=authority.client_config(certificates))
        context = authority.context()
        context.load_cert_chain(stranger.path("T01.crt"), stranger.path("T01.key"))
        try:
            TlsTill(shop, daemon.address, context).ask(op="status")
        except (ssl.SSLError, ConnectionError) as error:
            true("unknown ca" in str(error) or "reset" in str(error), f"got {error}")
        else:
            raise Failure("a stranger's certificate was taken")
        daemon.expect_log("unable to get local issuer certificate")


def test_a_certificate_out_of_its_dates_or_for_servers_is_refused(shop):
    authority = Authority(shop)
    authority.issue("old", "subjectAltName=URI:tillq:terminal:T01", days=-1)
    authority.issue("other", "extendedKeyUsage=serverAuth", "subjectAltName=URI:tillq:terminal:T01")
    daemon = start(shop, authority)
    expect_refused(shop, daemon, authority, "old", "expired")
    expect_refused(shop, daemon, authority, "other", "unsupported certificate")


def test_a_certificate_that_names_no_terminal_or_two_is_told(shop):
    authority = Authority(shop)
    authority.issue("T01", "extendedKeyUsage=clientAuth")  # a common name is not enough
    authority.issue("T02", "extendedKeyUsage=clientAuth", "subjectAltName=DNS:T02")
    authority.issue("T03", "subjectAltName=URI:tillq:terminal:T03,URI:tillq:terminal:T04")
    authority.issue_till("T05", uri="tillq:terminal:%0a")
    authority.issue_till("T06", uri="tillq:terminal:" + 65 * "T")
    daemon = start(shop, authority, "optional")
    for name in ("T01", "T02", "T03", "T05", "T06"):
        till = connect(shop, daemon, authority, name)
        till.expect(error="BAD_CERTIFICATE")
        till.expect_closed()
    daemon.expect_log("BAD_CERTIFICATE")


def test_certificates_let_an_address_be_reached_from_elsewhere(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    daemon = start(shop, authority, listen=("tls:0.0.0.0:0",))
    port = addresses(daemon)[0].rsplit(":", 1)[1]
    till = TlsTill(shop, f"tls:127.0.0.1:{port}", authority.context(client="T01"))
    same(till.ask(op="hello", terminal="T01")["last_seq"], -1, "last_seq")


def test_management_may_still_send_for_others(shop):
    authority = Authority(shop)
    authority.issue_till("M01")
    config = authority.client_config("required").replace("[tls]", "management = M01\n[tls]")
    daemon = shop.daemon(listen=None, config=config)
    till = connect(shop, daemon, authority, "M01")
    till.put(sale("x", ("A", 1), seq=3, terminal="T09"))
    till.expect(offset=0)
    same([record["value"]["terminal"] for record in till.fetch_all()], ["T09"], "terminals")


def test_who_shows_a_certificate_needs_no_token_and_the_others_do(shop):
    authority = Authority(shop)
    authority.issue_till("T01")
    os.makedirs(shop.path("data"), mode=0o750)
    printed = shop.tillq("-d", shop.path("data"), "token", "add", "T02", "--json").stdout
    token = json.loads(printed)["token"]
    daemon = start(shop, authority, "optional")
    known = connect(shop, daemon, authority, "T01")
    known.put(sale("x", ("A", 1), seq=0))
    known.expect(offset=0)
    known.ask(op="hello", terminal="T01")
    known.send(op="hello", terminal="T02", token=token)
    known.expect(error="TERMINAL_MISMATCH")
    stranger = connect(shop, daemon, authority)
    stranger.put(sale("y", ("A", 1), seq=0, terminal="T01"))
    stranger.expect(error="AUTH_REQUIRED")
    stranger.ask(op="hello", terminal="T02", token=token)
    stranger.put(sale("z", ("A", 1), seq=0))
    stranger.expect(offset=1)
    same(token in daemon.log(), False, "the token in the log")


def test_a_reload_may_change_who_signs(shop):
    authority, other = Authority(shop), Authority(shop, "other")
    authority.issue_till("T01")
    other.issue_till("T02")
    daemon = start(shop, authority)
    stays = connect(shop, daemon, authority, "T01")
    daemon.reload(authority.client_config("required").replace(
        f"client_ca = {authority.certificate}", f"client_ca = {other.certificate}"))
    daemon.expect_log("reload: client_ca changed")
    daemon.expect_log("reload: done")
    context = authority.context()
    context.load_cert_chain(other.path("T02.crt"), other.path("T02.key"))
    TlsTill(shop, daemon.address, context).ask(op="hello", terminal="T02")
    expect_refused(shop, daemon, authority, "T01", "unknown ca", "reset")
    stays.ask(op="hello", terminal="T01")
