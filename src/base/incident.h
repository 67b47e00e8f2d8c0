/* incident: what went wrong, was refused, or was mended: counted, and told in one line of log.
 *
 * Each kind has a row in one table: a name that never changes (the member of `counters` in the
 * status; a refusal's is its error code), the severity its lines always have, and what it means
 * (docs/protocol.md says it at length). Of one kind at most one line a second is written; the next
 * one tells how many were kept back. The counts are whole, whatever the log shows.
 *
 * One table for the process: incidents happen in every thread, in every module, and nothing is ever
 * decided by them. Any thread; never fails, never waits, allocates nothing. */
#ifndef TILLQ_BASE_INCIDENT_H
#define TILLQ_BASE_INCIDENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum incident {
    /* Refusals: errors answered to a terminal, by their code. */
    INCIDENT_BAD_JSON,
    INCIDENT_LINE_TOO_LONG,
    INCIDENT_BAD_REQUEST,
    INCIDENT_BAD_DOCUMENT,
    INCIDENT_AUTH_REQUIRED,
    INCIDENT_AUTH_FAILED,
    INCIDENT_TERMINAL_MISMATCH,
    INCIDENT_SEQ_TOO_OLD,
    INCIDENT_UNKNOWN_TOPIC,
    INCIDENT_UNKNOWN_PARTITION,
    INCIDENT_OFFSET_OUT_OF_RANGE,
    INCIDENT_JOURNAL_FULL,
    INCIDENT_JOURNAL_BUSY,
    INCIDENT_JOURNAL_FAILED,
    INCIDENT_RECORD_TOO_LARGE,
    INCIDENT_TOO_MANY_TOPICS,
    INCIDENT_APPLIER_FAILED,
    INCIDENT_APPLIER_BEHIND,
    INCIDENT_NO_MEMORY,
    INCIDENT_TOO_MANY_CONNECTIONS,
    INCIDENT_IDLE_TIMEOUT,
    INCIDENT_FAILED,
    INCIDENT_DAMAGED,
    INCIDENT_TLS_REQUIRED,
    INCIDENT_NO_TLS,
    INCIDENT_BAD_CERTIFICATE,
    INCIDENT_OTHER_REFUSAL, /* a code without a row of its own */

    /* Terminals. */
    INCIDENT_SEQ_DUPLICATE,
    INCIDENT_SEQ_REUSED,
    INCIDENT_CONNECTION_BROKEN,
    INCIDENT_TLS_HANDSHAKE,
    INCIDENT_TLS_STALLED,
    INCIDENT_CERTIFICATE_ENDS,
    INCIDENT_REPLIES_NOT_TAKEN,
    INCIDENT_CONNECTION_NO_MEMORY,
    INCIDENT_ACCEPT_FAILED,

    /* The journal. */
    INCIDENT_DISK_FULL,
    INCIDENT_RESERVE_FAILED,
    INCIDENT_COMMIT_FULL,
    INCIDENT_COMMIT_NO_MEMORY,
    INCIDENT_COMMIT_BUSY,
    INCIDENT_COMMIT_MISTAKE,
    INCIDENT_COMMIT_DISK,
    INCIDENT_STATE_UNREADABLE,
    INCIDENT_CHECKPOINT_FAILED,
    INCIDENT_CHECKPOINT_DISK,
    INCIDENT_ROLL_FAILED,
    INCIDENT_ROLL_DISK,
    INCIDENT_SEAL_FAILED,
    INCIDENT_SEAL_DISK,
    INCIDENT_OFFSETS_UNKNOWN,
    INCIDENT_OFFSETS_LOST,
    INCIDENT_SEGMENT_SET_ASIDE,
    INCIDENT_SEGMENT_DAMAGED,

    /* The stock. */
    INCIDENT_DOCUMENT_REJECTED,
    INCIDENT_DOCUMENT_CONFLICT,
    INCIDENT_APPLIER_STANDS_FULL,
    INCIDENT_APPLIER_STANDS_WAITING,
    INCIDENT_APPLIER_STANDS_FAILED,
    INCIDENT_APPLIER_READ_FAILED,
    INCIDENT_BATCH_DAMAGED,
    INCIDENT_STOCK_CHECKPOINT_FAILED,

    /* The daemon. */
    INCIDENT_DATABASE_ERROR,
    INCIDENT_LOOP_ERROR,
    INCIDENT_LOOP_WARNING,
    INCIDENT_NOTIFY_FAILED,
    INCIDENT_RELOAD_FAILED,
    INCIDENT_THREAD_STUCK,

    /* Recoveries. */
    INCIDENT_LOG_RECOVERED,
    INCIDENT_ROLL_UNDONE,
    INCIDENT_JOURNAL_RESUMED,
    INCIDENT_APPLIER_RESUMED,
    INCIDENT_STOCK_SET_ASIDE,
    INCIDENT_STOCK_REBUILT,
    INCIDENT_SEGMENT_BEGUN,
    INCIDENT_SEGMENT_SEALED,

    INCIDENT_COUNT
};

/* Counts one and writes the line "NAME: …". The message holds no secret and nothing of a document.
 */
void incident_note(enum incident kind, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Counts `times` with one line. */
void incident_note_many(enum incident kind, int64_t times, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The kind of a refusal by the code answered. */
enum incident incident_of_code(struct text code);

int64_t incident_count(enum incident kind);
const char *incident_name(enum incident kind);
const char *incident_meaning(enum incident kind); /* one line */
enum log_level incident_level(enum incident kind);
/* A JSON object of all counts above zero, by name. */
void incident_add_json(struct buffer *buffer);

/* Tells of the lines kept back that no later line told of. For whoever has a timer; once a second
 * is enough. */
void incident_tell_rest(void);

/* All counts to zero and all lines allowed again, for a program that runs one daemon after the
 * other. `clock` is what a line's second is measured with, NULL the system's; it must stay. While
 * no other thread notes anything. */
void incident_reset(const struct clock *clock);

#endif
