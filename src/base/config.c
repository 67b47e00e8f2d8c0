#include "base/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/config_internal.h"
#include "base/json.h"

#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

enum kind {
    TEXT,   /* char[CONFIG_VALUE_BYTES]; the range is of its length in bytes */
    LISTEN, /* the list of addresses */
    LEVEL,  /* enum log_level */
    AUTH,   /* bool: none */
    CLIENT, /* enum client_certificates */
    NUMBER, /* int64_t */
    BYTES,  /* int64_t, written with a suffix */
};

struct key {
    const char *section;
    const char *name;
    enum kind kind;
    size_t offset;
    const char *default_value;
    int64_t least;
    int64_t most;
    bool reloads;
};

#define AT(member) offsetof(struct config, member)

/* clang-format off */
static const struct key keys[] = {
    {"daemon",  "directory",       TEXT,   AT(directory),           "/var/lib/tillq", 1, CONFIG_VALUE_BYTES - 1, false},
    {"daemon",  "log_level",       LEVEL,  AT(log_level),           "info",           0, 0,             true},
    {"daemon",  "shop",            TEXT,   AT(shop),                "0001",           1, 64,            false},
    {"listen",  "listen",          LISTEN, AT(listen),              "127.0.0.1:7077", 1, CONFIG_VALUE_BYTES - 1, false},
    {"listen",  "auth",            AUTH,   AT(auth_none),           "tokens",         0, 0,             false},
    {"listen",  "tokens",          TEXT,   AT(tokens),              "",               0, CONFIG_VALUE_BYTES - 1, true},
    {"listen",  "management",      TEXT,   AT(management),          "",               0, CONFIG_VALUE_BYTES - 1, true},
    {"tls",     "certificate",     TEXT,   AT(certificate),         "",               0, CONFIG_VALUE_BYTES - 1, true},
    {"tls",     "private_key",     TEXT,   AT(private_key),         "",               0, CONFIG_VALUE_BYTES - 1, true},
    {"tls",     "client_ca",       TEXT,   AT(client_ca),           "",               0, CONFIG_VALUE_BYTES - 1, true},
    {"tls",     "client_certificates", CLIENT, AT(client_certificates), "none",       0, 0,             false},
    {"tls",     "handshake_timeout_s", NUMBER, AT(handshake_timeout_s), "10",         1, 3600,          true},
    {"limits",  "max_line",        BYTES,  AT(max_line_bytes),      "1 MiB",          KIB, 16 * MIB,    true},
    {"limits",  "max_connections", NUMBER, AT(max_connections),     "1024",           1, 1000000,       true},
    {"limits",  "max_in_flight",   NUMBER, AT(max_in_flight),       "1024",           1, 65536,         true},
    {"limits",  "max_pending",     BYTES,  AT(max_pending_bytes),   "64 MiB",         MIB, 4 * GIB,     true},
    {"limits",  "max_reply",       BYTES,  AT(max_reply_bytes),     "4 MiB",          64 * KIB, GIB,    true},
    {"limits",  "hello_timeout_s", NUMBER, AT(hello_timeout_s),     "30",             1, 3600,          true},
    {"limits",  "idle_timeout_s",  NUMBER, AT(idle_timeout_s),      "0",              0, 31536000,      true},
    {"journal", "segment_bytes",   BYTES,  AT(segment_bytes),       "256 MiB",        MIB, 1024 * GIB,  true},
    {"journal", "batch_records",   NUMBER, AT(batch_records),       "4096",           1, 65536,         true},
    {"journal", "journal_cache",   BYTES,  AT(journal_cache_bytes), "2 MiB",          256 * KIB, GIB,   false},
    {"journal", "reserve",         BYTES,  AT(reserve_bytes),       "16 MiB",         0, GIB,          false},
    {"stock",   "apply_documents", NUMBER, AT(apply_documents),     "1000",           1, 100000,        true},
    {"stock",   "stock_cache",     BYTES,  AT(stock_cache_bytes),   "16 MiB",         256 * KIB, 4 * GIB, false},
};
/* clang-format on */

#define KEY_COUNT (sizeof keys / sizeof keys[0])
_Static_assert(KEY_COUNT <= CONFIG_KEYS_MAX, "every key has a number below CONFIG_KEYS_MAX");

static const struct {
    const char *suffix;
    int64_t bytes;
} units[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"G", GIB}, {"M", MIB}, {"K", KIB}, {"", 1}};

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
    {"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
};

static const char *const client_certificates[] = {
    [CLIENT_CERTIFICATES_NONE] = "none",
    [CLIENT_CERTIFICATES_OPTIONAL] = "optional",
    [CLIENT_CERTIFICATES_REQUIRED] = "required",
};

size_t config_find(const char *section, const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if ((!section || strcmp(keys[i].section, section) == 0) && strcmp(keys[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

bool config_has_section(const char *section)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].section, section) == 0)
            return true;
    return false;
}

bool config_repeats(size_t key)
{
    return keys[key].kind == LISTEN;
}

bool config_key_at(size_t index, struct config_key *key)
{
    if (index >= KEY_COUNT)
        return false;
    *key = (struct config_key){keys[index].section, keys[index].name, keys[index].default_value};
    return true;
}

/* Decimal digits only: strtoll takes white space, signs and hexadecimal too. */
static int parse_number(const char *value, char **end, int64_t *number)
{
    if (*value < '0' || *value > '9')
        return -1;
    errno = 0;
    *number = strtoll(value, end, 10);
    return errno == 0 ? 0 : -1;
}

int config_parse_bytes(const char *value, int64_t *bytes)
{
    char *suffix;
    int64_t number;
    if (parse_number(value, &suffix, &number) != 0)
        return -1;
    while (*suffix == ' ')
        suffix++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(suffix, units[i].suffix) == 0)
            return __builtin_mul_overflow(number, units[i].bytes, bytes) ? -1 : 0;
    return -1;
}

/* In the largest unit that divides it: 1048576 -> "1 MiB". */
static void write_bytes(int64_t bytes, char out[32])
{
    size_t i = 0;
    while (bytes > 0 && (bytes % units[i].bytes != 0 || bytes < units[i].bytes))
        i++;
    snprintf(out, 32, "%" PRId64 " %s", bytes / units[i].bytes, units[i].suffix);
}

static int refuse_range(const struct key *key, struct failure *failure)
{
    if (key->kind != BYTES)
        return failure_set(failure, NULL, "%s: must be %" PRId64 " to %" PRId64 "%s", key->name,
                           key->least, key->most, key->kind == NUMBER ? "" : " bytes long");
    char least[32];
    char most[32];
    write_bytes(key->least, least);
    write_bytes(key->most, most);
    return failure_set(failure, NULL, "%s: must be %s to %s", key->name, least, most);
}

static int check_text(const struct key *key, const char *value, struct failure *failure)
{
    size_t length = strlen(value);
    if (length < (size_t)key->least || length > (size_t)key->most)
        return refuse_range(key, failure);
    for (const char *at = value; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return failure_set(failure, NULL, "%s: contains a control character", key->name);
    if (!json_can_hold(text_of(value)))
        return failure_set(failure, NULL, "%s: is not UTF-8", key->name);
    return 0;
}

static int parse_port(const char *port)
{
    char *end;
    int64_t number;
    if (parse_number(port, &end, &number) != 0 || *end || number > 65535)
        return -1;
    return 0;
}

/* Splits HOST:PORT or [V6]:PORT. 0 or -1. */
static int parse_address(const char *address, char host[CONFIG_VALUE_BYTES])
{
    bool bracketed = address[0] == '[';
    const char *host_start = bracketed ? address + 1 : address;
    const char *host_end = strchr(host_start, bracketed ? ']' : ':');
    if (!host_end || host_end == host_start)
        return -1;
    const char *colon = bracketed ? host_end + 1 : host_end;
    if (*colon != ':' || parse_port(colon + 1) != 0)
        return -1;
    snprintf(host, CONFIG_VALUE_BYTES, "%.*s", (int)(host_end - host_start), host_start);
    struct in6_addr ignored;
    if (bracketed && inet_pton(AF_INET6, host, &ignored) != 1)
        return -1;
    return 0;
}

bool config_is_tls(const char *address, const char **rest)
{
    bool is_tls = strncmp(address, CONFIG_TLS, strlen(CONFIG_TLS)) == 0;
    *rest = is_tls ? address + strlen(CONFIG_TLS) : address;
    return is_tls;
}

/* HOST:PORT, [V6]:PORT or unix:/PATH, the first two also behind "tls:"; `host` is empty for the
 * last. 0 or -1. */
static int check_form(const char *address, char host[CONFIG_VALUE_BYTES], struct failure *failure)
{
    host[0] = '\0';
    if (strncmp(address, "unix:", 5) == 0) {
        size_t length = strlen(address + 5);
        if (address[5] != '/' || length >= sizeof((struct sockaddr_un *)0)->sun_path)
            return failure_set(failure, NULL,
                               "listen: unix: needs an absolute path of at most %zu bytes",
                               sizeof((struct sockaddr_un *)0)->sun_path - 1);
        return 0;
    }
    const char *rest;
    config_is_tls(address, &rest);
    if (parse_address(rest, host) != 0)
        return failure_set(failure, NULL,
                           "listen: \"%.100s\" is not HOST:PORT, [IPV6]:PORT or unix:/PATH, nor "
                           "tls: before one of the first two",
                           address);
    return 0;
}

static int set_listen(struct config *config, const struct key *key, const char *value,
                      struct failure *failure)
{
    if (config->listen_count == CONFIG_LISTEN_MAX)
        return failure_set(failure, NULL, "%s: more than %d addresses", key->name,
                           CONFIG_LISTEN_MAX);
    char host[CONFIG_VALUE_BYTES];
    if (check_text(key, value, failure) != 0 || check_form(value, host, failure) != 0)
        return -1;
    snprintf(config->listen[config->listen_count++], CONFIG_VALUE_BYTES, "%s", value);
    return 0;
}

static int set_level(enum log_level *level, const struct key *key, const char *value,
                     struct failure *failure)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i].name, value) == 0) {
            *level = levels[i].level;
            return 0;
        }
    }
    return failure_set(failure, NULL, "%s: must be error, warning, notice, info or debug",
                       key->name);
}

static int set_client_certificates(enum client_certificates *asked, const struct key *key,
                                   const char *value, struct failure *failure)
{
    for (int i = 0; i <= CLIENT_CERTIFICATES_REQUIRED; i++) {
        if (strcmp(client_certificates[i], value) == 0) {
            *asked = (enum client_certificates)i;
            return 0;
        }
    }
    return failure_set(failure, NULL, "%s: must be none, optional or required", key->name);
}

static int set_number(int64_t *number, const struct key *key, const char *value,
                      struct failure *failure)
{
    char *end = NULL;
    int64_t parsed;
    int result = key->kind == BYTES ? config_parse_bytes(value, &parsed)
                                    : parse_number(value, &end, &parsed);
    if (result != 0 || (end && *end))
        return failure_set(failure, NULL, "%s: \"%.40s\" is not %s", key->name, value,
                           key->kind == BYTES ? "a size such as 512 KiB or 4 MiB"
                                              : "a whole number");
    if (parsed < key->least || parsed > key->most)
        return refuse_range(key, failure);
    *number = parsed;
    return 0;
}

int config_set(struct config *config, size_t index, const char *value, struct failure *failure)
{
    const struct key *key = &keys[index];
    void *member = (char *)config + key->offset;
    switch (key->kind) {
    case LISTEN:
        return set_listen(config, key, value, failure);
    case LEVEL:
        return set_level(member, key, value, failure);
    case AUTH:
        if (strcmp(value, "none") != 0 && strcmp(value, "tokens") != 0)
            return failure_set(failure, NULL, "%s: must be tokens or none", key->name);
        *(bool *)member = strcmp(value, "none") == 0;
        return 0;
    case CLIENT:
        return set_client_certificates(member, key, value, failure);
    case TEXT:
        if (check_text(key, value, failure) != 0)
            return -1;
        snprintf(member, CONFIG_VALUE_BYTES, "%s", value);
        return 0;
    default:
        return set_number(member, key, value, failure);
    }
}

void config_defaults(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct failure failure;
        if (config_set(config, i, keys[i].default_value, &failure) != 0)
            abort(); /* the table is wrong; test_config sees it */
    }
}

static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcmp(host, "localhost") == 0;
}

int config_check_address(const struct config *config, const char *address, struct failure *failure)
{
    char host[CONFIG_VALUE_BYTES];
    if (check_form(address, host, failure) != 0)
        return -1;
    const char *rest;
    bool certified = config_is_tls(address, &rest) &&
                     config->client_certificates == CLIENT_CERTIFICATES_REQUIRED;
    if (host[0] != '\0' && !config->auth_none && !config->has_tokens && !is_loopback(host) &&
        !certified)
        return failure_set(failure, NULL,
                           "listen: %.100s can be reached from other machines and no tokens are "
                           "configured; make some with tillq token add, or write auth = none under "
                           "[listen] to allow that",
                           address);
    return 0;
}

static int blame(const struct config *config, const char *key, const char *what,
                 struct failure *failure)
{
    failure_set(failure, NULL, "%s: %s", key, what);
    config_locate(config, key, failure);
    return -1;
}

/* What TLS needs is there, and what is there has an effect. */
static int check_tls(const struct config *config, struct failure *failure)
{
    bool asks = config->client_certificates != CLIENT_CERTIFICATES_NONE;
    const char *rest;
    if (config->certificate[0] && !config->private_key[0])
        return blame(config, "certificate", "needs its private_key beside it", failure);
    if (config->private_key[0] && !config->certificate[0])
        return blame(config, "private_key", "needs its certificate beside it", failure);
    if (asks && !config->client_ca[0])
        return blame(config, "client_certificates", "needs client_ca: who signs them", failure);
    if (config->client_ca[0] && !asks)
        return blame(config, "client_ca", "is for nothing while client_certificates = none",
                     failure);
    for (int i = 0; i < config->listen_count; i++)
        if (config_is_tls(config->listen[i], &rest) && !config->certificate[0])
            return failure_set(failure, NULL,
                               "listen: %.100s needs certificate and private_key under [tls]",
                               config->listen[i]);
    return 0;
}

void config_locate(const struct config *config, const char *key, struct failure *failure)
{
    size_t index = config_find(NULL, key);
    if (!failure || index == SIZE_MAX || config->lines[index] == 0)
        return;
    struct failure inner = *failure;
    failure_set(failure, inner.code, "%s:%d: %s", config->path, config->lines[index],
                inner.message);
}

int config_check(const struct config *config, struct failure *failure)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].kind == TEXT &&
            check_text(&keys[i], (const char *)config + keys[i].offset, failure) != 0)
            return -1;
    if (config->listen_count == 0)
        return failure_set(failure, NULL, "listen: no address");
    for (int i = 0; i < config->listen_count; i++)
        if (config_check_address(config, config->listen[i], failure) != 0)
            return -1;
    return check_tls(config, failure);
}

static bool same_listen(const struct config *a, const struct config *b)
{
    if (a->listen_count != b->listen_count)
        return false;
    for (int i = 0; i < a->listen_count; i++)
        if (strcmp(a->listen[i], b->listen[i]) != 0)
            return false;
    return true;
}

static bool same_value(const struct key *key, const struct config *a, const struct config *b)
{
    const char *left = (const char *)a + key->offset;
    const char *right = (const char *)b + key->offset;
    switch (key->kind) {
    case TEXT:
        return strcmp(left, right) == 0;
    case LISTEN:
        return same_listen(a, b);
    case LEVEL:
        return *(const enum log_level *)left == *(const enum log_level *)right;
    case AUTH:
        return *(const bool *)left == *(const bool *)right;
    case CLIENT:
        return *(const enum client_certificates *)left == *(const enum client_certificates *)right;
    default:
        return *(const int64_t *)left == *(const int64_t *)right;
    }
}

static void copy_value(const struct key *key, struct config *to, const struct config *from)
{
    static const size_t lengths[] = {
        [TEXT] = CONFIG_VALUE_BYTES,
        [LISTEN] = sizeof to->listen,
        [LEVEL] = sizeof(enum log_level),
        [AUTH] = sizeof(bool),
        [CLIENT] = sizeof(enum client_certificates),
        [NUMBER] = sizeof(int64_t),
        [BYTES] = sizeof(int64_t),
    };
    memcpy((char *)to + key->offset, (const char *)from + key->offset, lengths[key->kind]);
    if (key->kind == LISTEN)
        to->listen_count = from->listen_count;
}

void config_reload(struct config *running, const struct config *fresh,
                   void (*report)(const char *key, bool changed, void *context), void *context)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (same_value(&keys[i], running, fresh))
            continue;
        if (keys[i].reloads)
            copy_value(&keys[i], running, fresh);
        if (report)
            report(keys[i].name, keys[i].reloads, context);
    }
}
