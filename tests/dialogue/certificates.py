"""certificates: a small authority for a dialogue: made with the openssl program, in the shop's directory.

    authority = Authority(shop)
    authority.issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    daemon = shop.daemon(listen=None, config=authority.config())
"""

import os
import socket
import ssl
import subprocess

from till import Till
from waiting import PATIENCE_S, Failure, poll

SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments):
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failure(f"openssl {' '.join(arguments)}:\n{result.stderr}")


class Authority:
    """Signs certificates; its own is at `certificate`, and it issues one for a server at once."""

    def __init__(self, shop, name="authority"):
        self.directory = shop.path(name)
        os.mkdir(self.directory)
        self.certificate = self.path("ca.crt")
        openssl("req", "-x509", *CURVE, "-days", "30", "-subj", f"/CN={name}",
                "-keyout", self.path("ca.key"), "-out", self.certificate)
        self.issue("server", SERVER_NAMES)

    def path(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name, *extensions, days=30):
        """NAME.crt and NAME.key; (certificate, key) paths."""
        certificate, key, request = (self.path(name + end) for end in (".crt", ".key", ".csr"))
        extra = self.path(name + ".ext")
        with open(extra, "w", encoding="utf-8") as file:
            file.write("\n".join(("basicConstraints=CA:FALSE",) + extensions) + "\n")
        openssl("req", *CURVE, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey",
                self.path("ca.key"), "-days", str(days), "-extfile", extra, "-out", certificate)
        os.chmod(key, 0o640)
        return certificate, key

    def issue_till(self, name, uri=None):
        return self.issue(name, "extendedKeyUsage=clientAuth",
                          f"subjectAltName=URI:{uri or 'tillq:terminal:' + name}")

    def config(self, listen=("tls:127.0.0.1:0",), server="server", more="", limits=""):
        """A daemon's configuration: `more` goes under [tls]."""
        addresses = "".join(f"listen = {address}\n" for address in listen)
        return (f"[listen]\n{addresses}[tls]\ncertificate = {self.path(server + '.crt')}\n"
                f"private_key = {self.path(server + '.key')}\n{more}\n[limits]\n{limits}\n")

    def client_config(self, certificates, **options):
        return self.config(more=f"client_ca = {self.certificate}\n"
                                f"client_certificates = {certificates}", **options)

    def context(self, client=None, version=None):
        """What a till trusts: this authority. `client`: the name of a certificate to show;
        `version`: the only version it speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        if client:
            context.load_cert_chain(self.path(client + ".crt"), self.path(client + ".key"))
        if version:
            context.minimum_version = context.maximum_version = version
        return context


class TlsTill(Till):
    """A till that speaks TLS; the handshake is done, and nothing said yet."""

    def __init__(self, shop, address, context, name="till"):
        super().__init__(address.removeprefix("tls:"), name=name)
        shop.tills.append(self)
        self.socket = Encrypted(self.socket, context)

    def nothing_came(self):
        self.socket.settimeout(0)
        try:
            self.received += self.socket.recv(1 << 16)
        except BlockingIOError:
            pass
        return not self.received

    def say_farewell(self):
        """TLS's half-close: sends no more, still reads."""
        self.socket.say_farewell()

    def end_socket(self):
        """The socket's half-close, without a word to TLS."""
        self.socket.plain.shutdown(socket.SHUT_WR)


class Encrypted:
    """As much of a socket as a till needs. Python's own SSLSocket cannot half-close."""

    def __init__(self, plain, context):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.suppress_ragged_eofs = True
        plain.settimeout(PATIENCE_S)
        self._until_done(self.tls.do_handshake)

    def _flush(self):
        if self.outgoing.pending:
            self.plain.sendall(self.outgoing.read())

    def _until_done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.plain.recv(1 << 18)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            finally:
                self._flush()

    def settimeout(self, timeout_s):
        self.plain.settimeout(timeout_s)

    def sendall(self, data):
        for start in range(0, len(data), 1 << 20):
            self._until_done(lambda start=start: self.tls.write(data[start:start + (1 << 20)]))

    def recv(self, most):
        try:
            return self._until_done(lambda: self.tls.read(most))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLEOFError:
            if self.suppress_ragged_eofs:
                return b""
            raise

    def say_farewell(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def fileno(self):
        return self.plain.fileno()

    def close(self):
        self.plain.close()

    def __getattr__(self, name):
        return getattr(self.tls, name)  # version, cipher, getpeercert, …


def addresses(daemon):
    """What the daemon says it listens on, in its last life."""

    def said():
        log = daemon.log()
        life = log[log.rindex(" starts in "):]
        return [line.split("listening on ")[1] for line in life.splitlines()
                if "listening on " in line]

    return poll("the addresses in the log", said)
