/* audit_internal: the inside of an audit, for audit.c (the verdict, the stock) and audit_journal.c
 * (segments, batches, the state that moves with them) alone. */
#ifndef TILLQ_STOCK_AUDIT_INTERNAL_H
#define TILLQ_STOCK_AUDIT_INTERNAL_H

#include "base/db.h"
#include "base/json.h"
#include "base/sha256.h"
#include "journal/record.h"
#include "stock/audit.h"

/* One partition on its way through the segments. */
struct chain {
    char topic[TOPIC_NAME_BYTES + 1];
    int partition;
    int64_t expected; /* the next offset */
    unsigned char head[SHA256_BYTES];
};

struct producers;

struct auditing {
    const char *directory;
    audit_progress *progress;
    void *context;
    struct audit *audit;
    struct failure *failure; /* why the audit is not possible */
    bool given_up;           /* the progress function said so */
    struct sha256 *hash;
    struct producers *producers; /* as the records say */
    int64_t producer_count;      /* of them, found in the newest segment */
    struct json json;
    struct buffer scratch;
    struct chain *chains;
    int chain_count;
    struct db *newest; /* held in one snapshot: the list of sealed segments, the final state */
    int64_t newest_number;
};

/* A fault ends the audit: 1 means "found, say no more", as against 0 sound and -1 not possible. */
int audit_fault(struct auditing *auditing, const char *topic, int partition, int64_t offset,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What could not be read: a fault where that is damage; -1 where it may be sound, and only memory
 * or the like was short: an audit must never call unsound what is sound. `chain` NULL = no place.
 */
int audit_failure(struct auditing *auditing, const char *topic, int64_t offset,
                  const struct failure *failure);
int audit_unreadable(struct auditing *auditing, const struct db *db, const struct chain *chain);
/* False where the audit is to be given up. */
bool audit_tell(struct auditing *auditing, const char *stage, int64_t done, int64_t total);

/* Everything but the stock file: 1, 0 or -1. */
int audit_journal(struct auditing *auditing, struct failure *failure);

#endif
