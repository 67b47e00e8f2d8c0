/* tls_stream: one end of a socket pair; the test is the client at the other, with the library
 * itself. */
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls_stream.h"
#include "support.h"

struct talk {
    char folder[64];
    struct config config;
    struct tls *tls;
    struct tls_stream *server;
    SSL_CTX *context;
    SSL *client;
    int ends[2]; /* ours, the client's */
};

static void write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    if (key)
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    else
        assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

/* A certificate that signs itself, for an hour. */
static void make_files(const struct config *config)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    write_pem(config->certificate, NULL, certificate);
    write_pem(config->private_key, key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int set_up(void **state)
{
    struct talk *talk = calloc(1, sizeof *talk);
    struct failure failure;
    snprintf(talk->folder, sizeof talk->folder, "/tmp/tillq-tls-XXXXXX");
    assert_non_null(mkdtemp(talk->folder));
    config_defaults(&talk->config);
    snprintf(talk->config.certificate, CONFIG_VALUE_BYTES, "%s/crt", talk->folder);
    snprintf(talk->config.private_key, CONFIG_VALUE_BYTES, "%s/key", talk->folder);
    make_files(&talk->config);
    if (tls_new(&talk->tls, &talk->config, &failure) != 0)
        fail_msg("%s", failure.message);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, talk->ends), 0);
    talk->server = tls_stream_new(talk->tls, talk->ends[0]);
    talk->context = SSL_CTX_new(TLS_client_method());
    talk->client = SSL_new(talk->context);
    SSL_set_fd(talk->client, talk->ends[1]);
    SSL_set_connect_state(talk->client);
    *state = talk;
    return 0;
}

static int tear_down(void **state)
{
    struct talk *talk = *state;
    SSL_free(talk->client);
    SSL_CTX_free(talk->context);
    tls_stream_free(talk->server);
    tls_free(talk->tls);
    close(talk->ends[0]);
    close(talk->ends[1]);
    unlink(talk->config.certificate);
    unlink(talk->config.private_key);
    rmdir(talk->folder);
    free(talk);
    return 0;
}

static void agree(struct talk *talk)
{
    struct failure failure = {0};
    enum tls_result result = TLS_WAITS_TO_READ;
    for (int i = 0; i < 10 && result != TLS_DONE; i++) {
        int ignored = SSL_do_handshake(talk->client);
        (void)ignored;
        result = tls_stream_shake_hands(talk->server, &failure);
        if (result == TLS_BROKEN)
            fail_msg("%s", failure.message);
    }
    assert_int_equal(result, TLS_DONE);
    assert_int_equal(SSL_do_handshake(talk->client), 1);
}

static size_t bytes_in_socket(const struct talk *talk)
{
    int bytes = 0;
    assert_int_equal(ioctl(talk->ends[0], FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

static void client_says(struct talk *talk, const char *text)
{
    assert_int_equal(SSL_write(talk->client, text, (int)strlen(text)), strlen(text));
}

/* A client that sends nothing but new keys gets no more of a turn than one that sends lines. */
static void a_flood_of_new_keys_takes_one_turns_worth_at_a_time(void **state)
{
    struct talk *talk = *state;
    char bytes[64];
    size_t moved;
    agree(talk);
    BIO *gathered = BIO_new(BIO_s_mem());
    SSL_set0_wbio(talk->client, gathered);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(SSL_key_update(talk->client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(talk->client), 1);
    }
    char *records;
    long length = BIO_get_mem_data(gathered, &records);
    assert_int_equal(send(talk->ends[1], records, (size_t)length, 0), length);
    size_t flood = bytes_in_socket(talk);
    assert_true(flood > TLS_STREAM_TURN_BYTES);
    for (size_t left = flood, calls = 0; left > 0; calls++) {
        assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved),
                         TLS_WAITS_TO_READ);
        assert_false(tls_stream_has_more(talk->server)); /* the socket tells */
        size_t now = bytes_in_socket(talk);
        assert_in_range(left - now, 1, TLS_STREAM_TURN_BYTES);
        assert_true(calls <= flood / TLS_STREAM_TURN_BYTES);
        left = now;
    }
}

/* What is decrypted and does not fit lies where no event of the socket tells of it. */
static void what_did_not_fit_is_told(void **state)
{
    struct talk *talk = *state;
    char bytes[5];
    char all[32] = "";
    size_t moved;
    agree(talk);
    client_says(talk, "twelve bytes");
    client_says(talk, " more");
    for (int calls = 1; calls <= 4; calls++) {
        assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved), TLS_DONE);
        strncat(all, bytes, moved);
        assert_int_equal(bytes_in_socket(talk), 0);
        assert_int_equal(tls_stream_has_more(talk->server), calls < 4);
    }
    assert_string_equal(all, "twelve bytes more");
    assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved),
                     TLS_WAITS_TO_READ);
}

static void a_farewell_behind_bytes_is_told(void **state)
{
    struct talk *talk = *state;
    char bytes[64];
    size_t moved;
    agree(talk);
    client_says(talk, "the last");
    SSL_shutdown(talk->client);
    assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved), TLS_DONE);
    assert_int_equal(moved, 8);
    assert_true(tls_stream_has_more(talk->server));
    assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved), TLS_ENDED);
    assert_int_equal(tls_stream_send(talk->server, "answer", 6, &moved), TLS_DONE);
    assert_int_equal(SSL_read(talk->client, bytes, sizeof bytes), 6);
}

static void an_end_without_farewell_is_an_end(void **state)
{
    struct talk *talk = *state;
    char bytes[64];
    size_t moved;
    agree(talk);
    shutdown(talk->ends[1], SHUT_WR);
    assert_int_equal(tls_stream_receive(talk->server, bytes, sizeof bytes, &moved), TLS_ENDED);
}

/* Sending stops when nobody reads, and goes on from a buffer that has moved and grown. */
static void sending_goes_on_where_it_stopped(void **state)
{
    struct talk *talk = *state;
    static char first[1 << 20], second[1 << 21], got[1 << 21];
    size_t sent = 0, received = 0, moved;
    enum tls_result result;
    agree(talk);
    for (size_t i = 0; i < sizeof second; i++)
        second[i] = (char)(i % 251);
    memcpy(first, second, sizeof first);
    while ((result = tls_stream_send(talk->server, first + sent, sizeof first - sent, &moved)) ==
           TLS_DONE)
        sent += moved;
    assert_int_equal(result, TLS_WAITS_TO_WRITE);
    while (received < sizeof got) {
        int bytes = SSL_read(talk->client, got + received, (int)(sizeof got - received));
        if (bytes > 0)
            received += (size_t)bytes;
        result = tls_stream_send(talk->server, second + sent, sizeof second - sent, &moved);
        assert_int_not_equal(result, TLS_BROKEN);
        sent += moved;
        if (sent == sizeof second)
            break;
    }
    while (received < sizeof got) {
        int bytes = SSL_read(talk->client, got + received, (int)(sizeof got - received));
        assert_true(bytes > 0);
        received += (size_t)bytes;
    }
    assert_memory_equal(got, second, sizeof got);
}

static void a_greeting_is_known_by_its_first_byte(void **state)
{
    (void)state;
    assert_true(tls_stream_is_greeting(TEXT_LITERAL("\x16\x03\x01")));
    assert_false(tls_stream_is_greeting(TEXT_LITERAL("{\"op\":")));
    assert_false(tls_stream_is_greeting((struct text){"", 0}));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_flood_of_new_keys_takes_one_turns_worth_at_a_time),
        TEST(what_did_not_fit_is_told),
        TEST(a_farewell_behind_bytes_is_told),
        TEST(an_end_without_farewell_is_an_end),
        TEST(sending_goes_on_where_it_stopped),
        cmocka_unit_test(a_greeting_is_known_by_its_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
