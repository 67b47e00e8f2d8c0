/* config: what a file may say, and that an error names file, line and key. Runs in the root of the
 * source tree, for conf/tillqd.conf. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SHIPPED "conf/tillqd.conf"

/* Reads `bytes` as a file; the failure message has the file's name replaced by "FILE". */
static int read_bytes(struct config *config, const char *bytes, size_t length, char message[256])
{
    char path[] = "/tmp/test_config.XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, length), (ssize_t)length);
    close(descriptor);
    struct failure failure = {0};
    int result = config_read(config, path, &failure);
    unlink(path);
    message[0] = '\0';
    if (result != 0) {
        assert_int_equal(strncmp(failure.message, path, strlen(path)), 0);
        snprintf(message, 256, "FILE%s", failure.message + strlen(path));
    }
    return result;
}

static struct config read_text(const char *text)
{
    struct config config;
    char message[256];
    if (read_bytes(&config, text, strlen(text), message) != 0)
        fail_msg("%s", message);
    return config;
}

static void has_the_defaults_the_header_promises(void **state)
{
    (void)state;
    struct config config;
    config_defaults(&config);
    assert_string_equal(config.directory, "/var/lib/tillq");
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_string_equal(config.shop, "0001");
    assert_int_equal(config.listen_count, 1);
    assert_string_equal(config.listen[0], "127.0.0.1:7077");
    assert_false(config.auth_none);
    assert_string_equal(config.management, "");
    assert_int_equal(config.max_line_bytes, 1 << 20);
    assert_int_equal(config.max_connections, 1024);
    assert_int_equal(config.max_in_flight, 1024);
    assert_int_equal(config.max_pending_bytes, 64 << 20);
    assert_int_equal(config.max_reply_bytes, 4 << 20);
    assert_int_equal(config.hello_timeout_s, 30);
    assert_int_equal(config.idle_timeout_s, 0);
    assert_int_equal(config.segment_bytes, 256 << 20);
    assert_int_equal(config.reserve_bytes, 16 << 20);
    assert_int_equal(config.batch_records, 4096);
    assert_int_equal(config.journal_cache_bytes, 2 << 20);
    assert_int_equal(config.apply_documents, 1000);
    assert_int_equal(config.stock_cache_bytes, 16 << 20);
    assert_int_equal(config_check(&config, NULL), 0);
}

static void reads_every_key(void **state)
{
    (void)state;
    struct config config = read_text("; every key, each kind of writing\n"
                                     "[daemon]\r\n"
                                     "directory = /srv/till q ; behind a blank a comment begins\n"
                                     "log_level=debug\n"
                                     "   shop   =   0042   \n"
                                     "[listen]\n"
                                     "listen = 127.0.0.1:0\n"
                                     "\tlisten = [::1]:7077\n"
                                     "listen = unix:/run/tillq.sock\n"
                                     "auth = none\n"
                                     "management = M01 M02\n"
                                     "[tls]\n"
                                     "certificate = /etc/tillq/tls.crt\n"
                                     "private_key = /etc/tillq/tls.key\n"
                                     "client_ca = /etc/tillq/tills.crt\n"
                                     "client_certificates = required\n"
                                     "handshake_timeout_s = 3600\n"
                                     "[limits]\n"
                                     "max_line = 2M\n"
                                     "max_connections = 1000000\n"
                                     "max_in_flight = 1\n"
                                     "max_pending = 4 GiB\n"
                                     "max_reply = 64KiB\n"
                                     "# idle\n"
                                     "idle_timeout_s = 31536000\n"
                                     "[journal]\n"
                                     "segment_bytes = 1048576\n"
                                     "batch_records = 65536\n"
                                     "journal_cache = 1 G\n"
                                     "[stock]\n"
                                     "apply_documents = 100000\n"
                                     "stock_cache = 256 K");
    assert_string_equal(config.directory, "/srv/till q");
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(config.shop, "0042");
    assert_int_equal(config.listen_count, 3);
    assert_string_equal(config.listen[0], "127.0.0.1:0");
    assert_string_equal(config.listen[1], "[::1]:7077");
    assert_string_equal(config.listen[2], "unix:/run/tillq.sock");
    assert_true(config.auth_none);
    assert_string_equal(config.management, "M01 M02");
    assert_string_equal(config.certificate, "/etc/tillq/tls.crt");
    assert_string_equal(config.private_key, "/etc/tillq/tls.key");
    assert_string_equal(config.client_ca, "/etc/tillq/tills.crt");
    assert_int_equal(config.client_certificates, CLIENT_CERTIFICATES_REQUIRED);
    assert_int_equal(config.handshake_timeout_s, 3600);
    assert_int_equal(config.max_line_bytes, 2 << 20);
    assert_int_equal(config.max_connections, 1000000);
    assert_int_equal(config.max_in_flight, 1);
    assert_true(config.max_pending_bytes == INT64_C(4) << 30);
    assert_int_equal(config.max_reply_bytes, 64 << 10);
    assert_int_equal(config.idle_timeout_s, 31536000);
    assert_int_equal(config.segment_bytes, 1 << 20);
    assert_int_equal(config.batch_records, 65536);
    assert_int_equal(config.journal_cache_bytes, 1 << 30);
    assert_int_equal(config.apply_documents, 100000);
    assert_int_equal(config.stock_cache_bytes, 256 << 10);
    assert_int_equal(config_check(&config, NULL), 0);
}

#define DIGITS_50 "01234567890123456789012345678901234567890123456789"

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"[daemon]\nshop = 1\ncolour = red\n", "FILE:3: colour: unknown key"},
    {"[daemon]\n\n\nmax_line = 1 MiB\n", "FILE:4: max_line: belongs under [limits]"},
    {"shop = 1\n", "FILE:1: shop: belongs under [daemon]"},
    {"[shop]\n", "FILE:1: [shop]: unknown section"},
    {"[daemon]\n\n[]\n", "FILE:3: []: unknown section"},
    {"[daemon]\nshop = 1\n# so\nshop = 1\n", "FILE:4: shop: stands twice"},
    {"[daemon]\nshop = 1\n[listen]\n[daemon]\nshop = 1\n", "FILE:5: shop: stands twice"},
    {"[daemon]\nshop\n", "FILE:2: neither [SECTION] nor KEY = VALUE nor a comment"},
    {"[daemon\nshop = 1\n", "FILE:1: neither [SECTION] nor KEY = VALUE nor a comment"},
    {"[daemon]\nshop\ncolour = red\n", "FILE:2: neither [SECTION] nor KEY = VALUE nor a comment"},
    {"[daemon]\nshop =\n", "FILE:2: shop: must be 1 to 64 bytes long"},
    {"[daemon]\nshop = " DIGITS_50 "012345678901234\n", "FILE:2: shop: must be 1 to 64 bytes long"},
    {"[daemon]\nshop = a\tb\n", "FILE:2: shop: contains a control character"},
    {"[daemon]\nshop = a\xff\n", "FILE:2: shop: is not UTF-8"},
    {"[daemon]\nlog_level = loud\n",
     "FILE:2: log_level: must be error, warning, notice, info or debug"},
    {"[listen]\nauth = password\n", "FILE:2: auth: must be tokens or none"},
    {"[limits]\nmax_line = 1023\n", "FILE:2: max_line: must be 1 KiB to 16 MiB"},
    {"[limits]\nmax_line = 17 MiB\n", "FILE:2: max_line: must be 1 KiB to 16 MiB"},
    {"[limits]\nmax_line = lots\n",
     "FILE:2: max_line: \"lots\" is not a size such as 512 KiB or 4 MiB"},
    {"[limits]\nmax_connections = 0\n", "FILE:2: max_connections: must be 1 to 1000000"},
    {"[limits]\nmax_connections = 1000001\n", "FILE:2: max_connections: must be 1 to 1000000"},
    {"[limits]\nmax_connections = -1\n", "FILE:2: max_connections: \"-1\" is not a whole number"},
    {"[limits]\nmax_connections = 10k\n", "FILE:2: max_connections: \"10k\" is not a whole number"},
    {"[limits]\nmax_connections = 99999999999999999999\n",
     "FILE:2: max_connections: \"99999999999999999999\" is not a whole number"},
    {"[limits]\nidle_timeout_s = 1.5\n", "FILE:2: idle_timeout_s: \"1.5\" is not a whole number"},
    {"[journal]\nreserve = 2 GiB\n", "FILE:2: reserve: must be 0 GiB to 1 GiB"},
    {"[journal]\nsegment_bytes = 1025 GiB\n", "FILE:2: segment_bytes: must be 1 MiB to 1024 GiB"},
    {"[journal]\njournal_cache = 255 KiB\n", "FILE:2: journal_cache: must be 256 KiB to 1 GiB"},
};

static void names_file_line_and_key_of_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct config config;
        char message[256];
        if (read_bytes(&config, refused[i].text, strlen(refused[i].text), message) == 0)
            fail_msg("taken: %s", refused[i].text);
        assert_string_equal(message, refused[i].message);
    }
}

static void names_a_file_it_cannot_read(void **state)
{
    (void)state;
    struct config config;
    struct failure failure;
    assert_int_equal(config_read(&config, "/nonexistent/tillqd.conf", &failure), -1);
    assert_string_equal(failure.message, "/nonexistent/tillqd.conf: No such file or directory");
    assert_int_equal(config_read(&config, "/", &failure), -1);
    assert_string_equal(failure.message, "/:1: Is a directory");
}

/* A line of `length` bytes: a comment, or a key behind blanks, with or without its line end. */
static int read_line_of(int length, bool comment, const char *end, char message[256])
{
    char text[512];
    struct config config;
    snprintf(text, sizeof text, "[daemon]\n%c%*s%s", comment ? '#' : ' ', length - 1, "shop = 7",
             end);
    int result = read_bytes(&config, text, strlen(text), message);
    if (result == 0)
        assert_string_equal(config.shop, comment ? "0001" : "7");
    return result;
}

static void refuses_long_lines_instead_of_cutting_them(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "", "\n[listen]\n"};
    char message[256];
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (int comment = 0; comment < 2; comment++) {
            assert_int_equal(read_line_of(198, comment, ends[i], message), 0);
            assert_int_equal(read_line_of(199, comment, ends[i], message), -1);
            assert_string_equal(message, "FILE:2: the line is longer than 198 bytes");
            assert_int_equal(read_line_of(450, comment, ends[i], message), -1);
            assert_string_equal(message, "FILE:2: the line is longer than 198 bytes");
        }
    }
}

static void refuses_a_nul_byte(void **state)
{
    (void)state;
    static const char text[] = "[daemon]\nshop = 1\0 2\n";
    struct config config;
    char message[256];
    assert_int_equal(read_bytes(&config, text, sizeof text - 1, message), -1);
    assert_string_equal(message, "FILE:2: the line contains a NUL byte");
}

static void takes_an_empty_file(void **state)
{
    (void)state;
    struct config config = read_text("");
    struct config defaults;
    config_defaults(&defaults);
    assert_string_equal(config.directory, defaults.directory);
    assert_int_equal(config.listen_count, 1);
}

static void takes_sixteen_addresses_and_no_more(void **state)
{
    (void)state;
    char text[1024] = "[listen]\n";
    struct config config;
    char message[256];
    for (int i = 0; i < CONFIG_LISTEN_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "listen = 127.0.0.1:%d\n", i);
    assert_int_equal(read_bytes(&config, text, strlen(text), message), 0);
    assert_int_equal(config.listen_count, CONFIG_LISTEN_MAX);
    snprintf(text + strlen(text), sizeof text - strlen(text), "listen = 127.0.0.1:99\n");
    assert_int_equal(read_bytes(&config, text, strlen(text), message), -1);
    assert_string_equal(message, "FILE:18: listen: more than 16 addresses");
}

enum verdict { LOOPBACK, BEYOND, NO_ADDRESS };

static const struct {
    const char *address;
    enum verdict verdict;
} addresses[] = {
    {"127.0.0.1:7077", LOOPBACK},
    {"127.255.255.254:0", LOOPBACK},
    {"localhost:65535", LOOPBACK},
    {"[::1]:7077", LOOPBACK},
    {"unix:/run/tillq/tillqd.sock", LOOPBACK},
    {"tls:127.0.0.1:7078", LOOPBACK},
    {"tls:[::1]:7078", LOOPBACK},
    {"tls:0.0.0.0:7078", BEYOND},
    {"tls:unix:/run/tillq/tillqd.sock", NO_ADDRESS},
    {"tls:tls:127.0.0.1:7078", NO_ADDRESS},
    {"tls:", NO_ADDRESS},
    {"TLS:127.0.0.1:7078", NO_ADDRESS},
    {"0.0.0.0:7077", BEYOND},
    {"126.255.255.255:7077", BEYOND},
    {"128.0.0.1:7077", BEYOND},
    {"192.168.1.10:7077", BEYOND},
    {"127.0.0.1.example.com:7077", BEYOND},
    {"127.1:7077", BEYOND},
    {"till.local:7077", BEYOND},
    {"localhost.example.com:7077", BEYOND},
    {"[::]:7077", BEYOND},
    {"[fe80::1]:7077", BEYOND},
    {"[::ffff:10.0.0.1]:7077", BEYOND},
    {"127.0.0.1", NO_ADDRESS},
    {"127.0.0.1:", NO_ADDRESS},
    {":7077", NO_ADDRESS},
    {"127.0.0.1:65536", NO_ADDRESS},
    {"127.0.0.1:-1", NO_ADDRESS},
    {"127.0.0.1:7077x", NO_ADDRESS},
    {"127.0.0.1: 7077", NO_ADDRESS},
    {"::1:7077", NO_ADDRESS},
    {"[::1]", NO_ADDRESS},
    {"[::1]7077", NO_ADDRESS},
    {"[::1:7077", NO_ADDRESS},
    {"[localhost]:7077", NO_ADDRESS},
    {"7077", NO_ADDRESS},
    {"unix:", NO_ADDRESS},
    {"unix:run/tillq.sock", NO_ADDRESS},
    {"unix:/" DIGITS_50 DIGITS_50 "012345", LOOPBACK},
    {"unix:/" DIGITS_50 DIGITS_50 "0123456", NO_ADDRESS},
};

static void lets_nobody_in_from_outside_unless_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        for (int auth_none = 0; auth_none < 2; auth_none++) {
            struct config config;
            struct failure failure = {0};
            config_defaults(&config);
            config.auth_none = auth_none;
            config.certificate[0] = config.private_key[0] = '/';
            config.listen_count = 2;
            snprintf(config.listen[1], sizeof config.listen[1], "%s", addresses[i].address);
            bool taken = config_check(&config, &failure) == 0;
            bool expected =
                addresses[i].verdict == LOOPBACK || (addresses[i].verdict == BEYOND && auth_none);
            if (taken != expected)
                fail_msg("%s with auth_none %d: %s", addresses[i].address, auth_none,
                         failure.message);
            assert_int_equal(taken ? 0 : strncmp(failure.message, "listen: ", 8), 0);
            if (!taken && addresses[i].verdict == BEYOND)
                assert_non_null(strstr(failure.message, "auth = none"));
        }
    }
}

static void lets_certified_terminals_in_from_outside(void **state)
{
    (void)state;
    for (int asked = CLIENT_CERTIFICATES_NONE; asked <= CLIENT_CERTIFICATES_REQUIRED; asked++) {
        struct config config;
        config_defaults(&config);
        config.client_certificates = (enum client_certificates)asked;
        bool all_known = asked == CLIENT_CERTIFICATES_REQUIRED;
        assert_int_equal(config_check_address(&config, "tls:0.0.0.0:7078", NULL),
                         all_known ? 0 : -1);
        assert_int_equal(config_check_address(&config, "0.0.0.0:7078", NULL), -1);
    }
}

static void tells_where_a_key_was_set(void **state)
{
    (void)state;
    struct failure failure;
    struct config config = read_text("[tls]\n\ncertificate = /c\n");
    config.path = "some.conf"; /* the file is gone */
    failure_set(&failure, NULL, "certificate: no");
    config_locate(&config, "certificate", &failure);
    assert_string_equal(failure.message, "some.conf:3: certificate: no");
    failure_set(&failure, NULL, "private_key: no");
    config_locate(&config, "private_key", &failure);
    assert_string_equal(failure.message, "private_key: no");
}

static void checks_what_the_command_line_put_in(void **state)
{
    (void)state;
    struct config config;
    struct failure failure;
    config_defaults(&config);
    config.directory[0] = '\0';
    assert_int_equal(config_check(&config, &failure), -1);
    assert_string_equal(failure.message, "directory: must be 1 to 199 bytes long");
    config_defaults(&config);
    config.listen_count = 0;
    assert_int_equal(config_check(&config, &failure), -1);
    assert_string_equal(failure.message, "listen: no address");
}

struct report {
    char lines[1024];
};

static void write_report(const char *key, bool changed, void *context)
{
    struct report *report = context;
    size_t length = strlen(report->lines);
    snprintf(report->lines + length, sizeof report->lines - length, "%s%s ", changed ? "+" : "-",
             key);
}

static void takes_over_what_may_change_at_run_time(void **state)
{
    (void)state;
    struct report report = {""};
    struct config running = read_text("[daemon]\nshop = a long name\n");
    struct config fresh = read_text("[daemon]\nshop = a long name\n");
    config_reload(&running, &fresh, write_report, &report);
    assert_string_equal(report.lines, "");

    fresh = read_text(
        "[daemon]\ndirectory = /srv\nlog_level = debug\nshop = b\n"
        "[listen]\nlisten = 127.0.0.1:1\nauth = none\nmanagement = M01\n"
        "[limits]\nmax_line = 2 MiB\nmax_connections = 2\nmax_in_flight = 3\n"
        "max_pending = 4 MiB\nmax_reply = 5 MiB\nhello_timeout_s = 5\nidle_timeout_s = 6\n"
        "[journal]\nsegment_bytes = 7 MiB\nbatch_records = 8\njournal_cache = 9 MiB\n"
        "reserve = 10 MiB\n"
        "[stock]\napply_documents = 10\nstock_cache = 11 MiB\n");
    config_reload(&running, &fresh, write_report, &report);
    assert_string_equal(report.lines,
                        "-directory +log_level -shop -listen -auth +management +max_line "
                        "+max_connections +max_in_flight +max_pending +max_reply +hello_timeout_s "
                        "+idle_timeout_s "
                        "+segment_bytes +batch_records -journal_cache -reserve +apply_documents "
                        "-stock_cache ");
    assert_string_equal(running.directory, "/var/lib/tillq");
    assert_int_equal(running.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(running.shop, "a long name");
    assert_string_equal(running.listen[0], "127.0.0.1:7077");
    assert_false(running.auth_none);
    assert_string_equal(running.management, "M01");
    assert_int_equal(running.max_line_bytes, 2 << 20);
    assert_int_equal(running.idle_timeout_s, 6);
    assert_int_equal(running.apply_documents, 10);
    assert_int_equal(running.stock_cache_bytes, 16 << 20);

    report.lines[0] = '\0';
    config_reload(&running, &fresh, write_report, &report);
    assert_string_equal(report.lines,
                        "-directory -shop -listen -auth -journal_cache -reserve -stock_cache ");
}

static void parses_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; /* -1 = refused */
    } rows[] = {
        {"0", 0},
        {"512", 512},
        {"1K", 1024},
        {"1 KiB", 1024},
        {"10 MiB", 10485760},
        {"10MiB", 10485760},
        {"3 G", INT64_C(3) << 30},
        {"1024 GiB", INT64_C(1) << 40},
        {"8589934591 GiB", INT64_C(8589934591) << 30},
        {"8589934592 GiB", -1},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"", -1},
        {"MiB", -1},
        {"-1 MiB", -1},
        {"+1 MiB", -1},
        {" 1 MiB", -1},
        {"1.5 MiB", -1},
        {"0x10", -1},
        {"1 MB", -1},
        {"1 mib", -1},
        {"1 MiB ", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t bytes = -1;
        int result = config_parse_bytes(rows[i].text, &bytes);
        if ((result == 0) != (rows[i].bytes >= 0) || (result == 0 && bytes != rows[i].bytes))
            fail_msg("\"%s\": %d, %" PRId64, rows[i].text, result, bytes);
    }
}

/* Does the file have `line` under `section`? */
static bool file_says(const char *section, const char *line)
{
    char text[512];
    char current[64] = "";
    bool found = false;
    FILE *file = fopen(SHIPPED, "re");
    assert_non_null(file);
    while (!found && fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '[')
            snprintf(current, sizeof current, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
        found = strcmp(current, section) == 0 && strcmp(text, line) == 0;
    }
    fclose(file);
    return found;
}

static void ships_a_file_with_every_key_at_its_default(void **state)
{
    (void)state;
    struct config config;
    struct failure failure;
    if (config_read(&config, SHIPPED, &failure) != 0)
        fail_msg("%s", failure.message);
    struct config_key key;
    size_t count = 0;
    for (; config_key_at(count, &key); count++) {
        char line[256];
        const char *blank = *key.default_value ? " " : "";
        snprintf(line, sizeof line, "# %s =%s%s", key.name, blank, key.default_value);
        if (!file_says(key.section, line))
            fail_msg("%s has no line \"%s\" under [%s]", SHIPPED, line, key.section);
    }
    assert_int_equal(count, 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_defaults_the_header_promises),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(names_file_line_and_key_of_an_error),
        cmocka_unit_test(names_a_file_it_cannot_read),
        cmocka_unit_test(refuses_long_lines_instead_of_cutting_them),
        cmocka_unit_test(refuses_a_nul_byte),
        cmocka_unit_test(takes_an_empty_file),
        cmocka_unit_test(takes_sixteen_addresses_and_no_more),
        cmocka_unit_test(lets_nobody_in_from_outside_unless_told),
        cmocka_unit_test(lets_certified_terminals_in_from_outside),
        cmocka_unit_test(tells_where_a_key_was_set),
        cmocka_unit_test(checks_what_the_command_line_put_in),
        cmocka_unit_test(takes_over_what_may_change_at_run_time),
        cmocka_unit_test(parses_sizes),
        cmocka_unit_test(ships_a_file_with_every_key_at_its_default),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
