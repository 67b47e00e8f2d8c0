/* config: everything tillqd can be told, from an INI file, with a default for each key.
 *
 * Errors name file, line and key. Lines are at most 198 bytes (a limit of the INI library). Byte
 * sizes take a suffix KiB, MiB or GiB (also K, M, G); times are plain numbers in the unit the key's
 * name ends in. An unknown key or section, a key twice (except `listen`), a value out of its range
 * are errors, never ignored. */
#ifndef TILLQ_BASE_CONFIG_H
#define TILLQ_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/log.h"

#define CONFIG_LISTEN_MAX 16
#define CONFIG_VALUE_BYTES 200

struct config {
    /* [daemon] */
    char directory[CONFIG_VALUE_BYTES]; /* "directory", default "/var/lib/tillq" */
    enum log_level log_level;           /* "log_level": error|warning|notice|info|debug; info; reloads */
    char shop[CONFIG_VALUE_BYTES];      /* "shop": a document's shop where neither it nor hello names one; "0001" */
    /* [listen] */
    char listen[CONFIG_LISTEN_MAX][CONFIG_VALUE_BYTES]; /* "listen", repeatable: HOST:PORT, [V6]:PORT, unix:/PATH; "127.0.0.1:7077" */
    int listen_count;
    bool auth_none;                         /* "auth": tokens|none; default tokens. "none" lets listen go beyond loopback with no token asked */
    char management[CONFIG_VALUE_BYTES];    /* "management": blank-separated ids of terminals that may send for others; "" ; reloads */
    /* [limits], all reload */
    int64_t max_line_bytes;       /* "max_line", 1 MiB; 1 KiB … 16 MiB */
    int64_t max_connections;      /* "max_connections", 1024; 1 … 1000000 */
    int64_t max_in_flight;        /* "max_in_flight": requests owed to one connection before it is no longer read; 1024; 1 … 65536 */
    int64_t max_pending_bytes;    /* "max_pending": bytes of requests waiting in the whole daemon before nobody is read; 64 MiB; 1 MiB … 4 GiB */
    int64_t max_reply_bytes;      /* "max_reply": bytes of replies a connection may leave unread before it is no longer read; 4 MiB; 64 KiB … 1 GiB */
    int64_t idle_timeout_s;       /* "idle_timeout_s": a connection that sends nothing for so long is closed; 0 = never; default 0; 0 … 31536000 */
    /* [journal] */
    int64_t segment_bytes;        /* "segment_bytes", 256 MiB; 1 MiB … 1 TiB; reloads */
    int64_t batch_records;        /* "batch_records": at most so many records in one commit; 4096; 1 … 65536; reloads */
    int64_t journal_cache_bytes;  /* "journal_cache", SQLite page cache, 2 MiB; 256 KiB … 1 GiB */
    /* [stock] */
    int64_t apply_documents;      /* "apply_documents": at most so many documents in one transaction; 1000; 1 … 100000; reloads */
    int64_t stock_cache_bytes;    /* "stock_cache", SQLite page cache of the applier, 16 MiB; 256 KiB … 4 GiB */
};

void config_defaults(struct config *config);

/* Reads `path` over the defaults. 0, or -1 with the failure message "PATH:LINE: KEY: what is wrong". */
int config_read(struct config *config, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));

/* Checks what no single key can tell (an address beyond loopback needs tokens or auth = none).
 * 0 or -1 with a message that names the key. Also called after command line options were put in. */
int config_check(const struct config *config, struct failure *failure)
    __attribute__((warn_unused_result));

/* For SIGHUP: copies into `running` every key of `fresh` that may change at run time, and calls
 * `report` for each key that differs: (key, changed = true) where it was taken over, false where it
 * needs a restart. */
void config_reload(struct config *running, const struct config *fresh,
                   void (*report)(const char *key, bool changed, void *context), void *context);

/* "10 MiB" -> 10485760. 0 or -1. */
int config_parse_bytes(const char *value, int64_t *bytes) __attribute__((warn_unused_result));

#endif
