/* config: everything tillqd can be told, from an INI file, with a default for each key.
 *
 * Errors name file, line and key. A line is at most 198 bytes (a limit of the INI library); `;` and
 * `#` begin a comment line, ` ;` a comment behind a value. Byte sizes take a suffix KiB, MiB or GiB
 * (also K, M, G); times are plain numbers in the unit the key's name ends in. An unknown key or
 * section, a key twice (except `listen`), a value out of its range are errors, never ignored.
 *
 * Sections, keys, defaults and ranges stand in one table in config.c, and in conf/tillqd.conf for
 * whoever sets them. */
#ifndef TILLQ_BASE_CONFIG_H
#define TILLQ_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/log.h"

#define CONFIG_LISTEN_MAX 16
#define CONFIG_VALUE_BYTES 200
#define CONFIG_KEYS_MAX 32 /* keys are numbered from 0, and there are at most so many */
#define CONFIG_TLS "tls:"  /* an address that begins so speaks TLS */

enum client_certificates {
    CLIENT_CERTIFICATES_NONE,     /* nobody is asked for one */
    CLIENT_CERTIFICATES_OPTIONAL, /* who shows one is known by it */
    CLIENT_CERTIFICATES_REQUIRED,
};

struct config {
    /* [daemon] */
    char directory[CONFIG_VALUE_BYTES];
    enum log_level log_level;
    char shop[CONFIG_VALUE_BYTES]; /* of a document where neither it nor hello names one */

    /* [listen] */
    /* HOST:PORT, [V6]:PORT, unix:/PATH; the first two also behind "tls:" */
    char listen[CONFIG_LISTEN_MAX][CONFIG_VALUE_BYTES];
    int listen_count;
    bool auth_none; /* "auth": nobody is asked for a token, beyond loopback neither */
    char tokens[CONFIG_VALUE_BYTES]; /* the tokens file; "" = DIRECTORY/tokens, where it is there */
    bool has_tokens; /* no key: what that file holds, to be said before config_check */
    char management[CONFIG_VALUE_BYTES]; /* blank-separated ids that may send for other terminals */

    /* [tls]; the files are PEM, "" = none */
    char certificate[CONFIG_VALUE_BYTES]; /* the server's, and those that lead to its CA */
    char private_key[CONFIG_VALUE_BYTES];
    char client_ca[CONFIG_VALUE_BYTES]; /* who may sign client certificates */
    enum client_certificates client_certificates;
    int64_t handshake_timeout_s; /* from connecting to TLS being agreed on */

    /* [limits] */
    int64_t max_line_bytes;    /* "max_line" */
    int64_t max_connections;   /* open at once */
    int64_t max_in_flight;     /* requests owed to one connection before it is no longer read */
    int64_t max_pending_bytes; /* "max_pending": requests waiting in all before nobody is read */
    int64_t max_reply_bytes;   /* "max_reply": replies a connection may leave unread before it is
                                * no longer read itself */
    int64_t hello_timeout_s;   /* from connecting to a good token, where one is asked for */
    int64_t idle_timeout_s;    /* silence after which a connection is closed; 0 = never */

    /* [journal] */
    int64_t segment_bytes;       /* a segment is closed when it has grown so far */
    int64_t batch_records;       /* at most so many records in one commit */
    int64_t reserve_bytes;       /* "reserve": kept on the disk for when it is full; 0 = none */
    int64_t journal_cache_bytes; /* "journal_cache": SQLite's page cache */

    /* [stock] */
    int64_t apply_documents;   /* at most so many documents in one transaction */
    int64_t stock_cache_bytes; /* "stock_cache": SQLite's page cache of the applier */

    /* Where it was read, for config_locate. */
    const char *path;           /* the caller's */
    int lines[CONFIG_KEYS_MAX]; /* of each key, counted from 1; 0 = the file does not say it */
};

void config_defaults(struct config *config);

/* Sets the defaults, then what the file at `path` says. 0, or -1 with the failure message
 * "PATH:LINE: KEY: what is wrong" ("PATH: …" where the file cannot be opened). */
int config_read(struct config *config, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));

/* For whoever finds fault with a value later: puts "PATH:LINE: " before the message, where the file
 * says that key. */
void config_locate(const struct config *config, const char *key, struct failure *failure);

/* Checks what no single key can tell: each address has the form of one, and one beyond loopback
 * (127.0.0.0/8, ::1, localhost, unix:) needs tokens, TLS with client certificates required, or
 * auth = none; what TLS needs is there. 0, or -1 with "KEY: what is wrong". Also to be called after
 * command line options were put in. */
int config_check(const struct config *config, struct failure *failure)
    __attribute__((warn_unused_result));

/* The part of config_check that is about one address; for a socket that was handed over too. */
int config_check_address(const struct config *config, const char *address, struct failure *failure)
    __attribute__((warn_unused_result));

/* For SIGHUP (what the command line says must be put into `fresh` first, as at start): copies into
 * `running` every key of `fresh` that may change at run time, and calls `report` (may be NULL) for
 * each key that differs: (key, changed = true) where it was taken over, false where it needs a
 * restart. */
void config_reload(struct config *running, const struct config *fresh,
                   void (*report)(const char *key, bool changed, void *context), void *context);

/* Does the address say TLS? *rest is then what stands behind that, else the address. */
bool config_is_tls(const char *address, const char **rest);

/* "10 MiB" -> 10485760. 0 or -1. */
int config_parse_bytes(const char *value, int64_t *bytes) __attribute__((warn_unused_result));

/* The table, for tests and for whoever prints it: key number `index` from 0, false past the last.
 * All three are static strings. */
struct config_key {
    const char *section;
    const char *name;
    const char *default_value;
};
bool config_key_at(size_t index, struct config_key *key);

#endif
