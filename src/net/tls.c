#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls_internal.h"

#define KEY_FILE_BYTES (64 << 10)
#define CLIENT_CHAIN_BYTES (32 << 10) /* a client's certificates; held while it shakes hands */

/* ECDHE for TLS 1.2; the suites of TLS 1.3 are all of this kind. */
#define SUITES_1_2                                               \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* "KEY: PATH: why", and the key beside it. */
static int refused(struct failure *failure, const char *key, const char *path, const char *why)
{
    return failure_set_field(failure, NULL, key, "%s: %.150s: %.80s", key, path, why);
}

static int no_memory(struct failure *failure)
{
    return failure_set_field(failure, "NO_MEMORY", "certificate", "no memory for TLS");
}

/* The library's own word for its last complaint; the first in its list is the cause. */
static const char *reason(const char *otherwise)
{
    const char *words = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return words ? words : otherwise;
}

/* 0 where it can be opened: the library's words for a missing file help nobody. */
static int check_readable(const char *key, const char *path, struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return refused(failure, key, path, strerror(errno));
    close(descriptor);
    return 0;
}

/* --- the private key --- */

static int check_mode(int descriptor, const char *path, struct failure *failure)
{
    struct stat status;
    char why[80];
    if (fstat(descriptor, &status) != 0)
        return refused(failure, "private_key", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refused(failure, "private_key", path, "is not a file");
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) == 0)
        return 0;
    snprintf(why, sizeof why, "is open to others (mode %04o): chmod 0640, or less",
             (unsigned)status.st_mode & 07777);
    return refused(failure, "private_key", path, why);
}

/* Its length, or -1. */
static ssize_t read_key_file(const char *path, char bytes[KEY_FILE_BYTES], struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return refused(failure, "private_key", path, strerror(errno));
    ssize_t length = 0, got = 1;
    if (check_mode(descriptor, path, failure) != 0) {
        close(descriptor);
        return -1;
    }
    while (length < KEY_FILE_BYTES && got > 0) {
        got = read(descriptor, bytes + length, (size_t)(KEY_FILE_BYTES - length));
        if (got > 0)
            length += got;
    }
    if (got != 0)
        refused(failure, "private_key", path, got < 0 ? strerror(errno) : "is too long");
    close(descriptor);
    return got == 0 ? length : -1;
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static int use_key_bytes(SSL_CTX *context, const char *path, const char *bytes, ssize_t length,
                         struct failure *failure)
{
    bool encrypted = false;
    BIO *source = BIO_new_mem_buf(bytes, (int)length);
    EVP_PKEY *key =
        source ? PEM_read_bio_PrivateKey(source, NULL, no_passphrase, &encrypted) : NULL;
    BIO_free(source);
    ERR_clear_error();
    if (!key)
        return refused(failure, "private_key", path,
                       encrypted ? "is encrypted; a daemon cannot ask for its passphrase"
                                 : "holds no private key in PEM");
    /* It looks whether the two fit. */
    int used = SSL_CTX_use_PrivateKey(context, key);
    EVP_PKEY_free(key);
    if (used == 1 && SSL_CTX_check_private_key(context) == 1)
        return 0;
    ERR_clear_error();
    return refused(failure, "private_key", path, "does not belong to the certificate");
}

static int use_key(SSL_CTX *context, const char *path, struct failure *failure)
{
    char *bytes = malloc(KEY_FILE_BYTES);
    if (!bytes)
        return no_memory(failure);
    ssize_t length = read_key_file(path, bytes, failure);
    int result = length >= 0 ? use_key_bytes(context, path, bytes, length, failure) : -1;
    OPENSSL_cleanse(bytes, KEY_FILE_BYTES);
    free(bytes);
    return result;
}

/* --- certificates --- */

static int use_certificate(SSL_CTX *context, const char *path, struct failure *failure)
{
    if (check_readable("certificate", path, failure) != 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1)
        return 0;
    return refused(failure, "certificate", path, reason("holds no certificate in PEM"));
}

static int use_client_ca(SSL_CTX *context, const struct config *config, struct failure *failure)
{
    const char *path = config->client_ca;
    if (config->client_certificates == CLIENT_CERTIFICATES_NONE)
        return 0;
    if (check_readable("client_ca", path, failure) != 0)
        return -1;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (!names || SSL_CTX_load_verify_file(context, path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return refused(failure, "client_ca", path, reason("holds no certificate in PEM"));
    }
    SSL_CTX_set_client_CA_list(context, names); /* takes them over */
    int mode = SSL_VERIFY_PEER;
    if (config->client_certificates == CLIENT_CERTIFICATES_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    return 0;
}

/* --- the whole --- */

static bool set_policy(SSL_CTX *context)
{
    /* The end of a line is what ends a request, so bytes cut off by a stranger are no request: a
     * connection that ends without TLS's own farewell has ended, no more. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* An idle connection holds no record's room; a reply goes out of a buffer that may move. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_BYTES);
    bool strict_enough = SSL_CTX_get_min_proto_version(context) >= TLS1_2_VERSION;
    return (strict_enough || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1) &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_cipher_list(context, SUITES_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(context, SUITES_1_3) == 1;
}

int tls_new(struct tls **out, const struct config *config, struct failure *failure)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return no_memory(failure);
    tls->context = SSL_CTX_new(TLS_server_method());
    int result = 0;
    if (!tls->context || !set_policy(tls->context)) {
        ERR_clear_error();
        result = no_memory(failure);
    } else if (use_certificate(tls->context, config->certificate, failure) != 0 ||
               use_key(tls->context, config->private_key, failure) != 0 ||
               use_client_ca(tls->context, config, failure) != 0) {
        result = -1;
    }
    if (result != 0) {
        tls_free(tls);
        return -1;
    }
    *out = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

void tls_describe(const struct tls *tls, char out[TLS_DESCRIPTION_BYTES])
{
    X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    char text[TLS_DESCRIPTION_BYTES] = "";
    BIO *sink = BIO_new(BIO_s_mem());
    if (sink) {
        X509_NAME_print_ex(sink, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
        BIO_puts(sink, ", valid until ");
        ASN1_TIME_print(sink, X509_get0_notAfter(certificate));
        int length = BIO_read(sink, text, sizeof text - 1);
        text[length > 0 ? length : 0] = '\0';
    }
    BIO_free(sink);
    ERR_clear_error();
    snprintf(out, TLS_DESCRIPTION_BYTES, "%s", text);
}

int tls_days_left(const struct tls *tls)
{
    X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    int days = 0, seconds = 0;
    bool has_begun = X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
    bool known = ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1;
    ERR_clear_error();
    return has_begun && known && days >= 0 && seconds >= 0 ? days : -1;
}
