#include "base/incident.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define MESSAGE_BYTES 800 /* leaves room in a line for the name and what was kept back */

struct row {
    const char *name;
    enum log_level level;
    const char *meaning;
};

static const struct row rows[INCIDENT_COUNT] = {
    [INCIDENT_BAD_JSON] = {"BAD_JSON", LOG_LEVEL_WARNING, "lines that were not one JSON object"},
    [INCIDENT_LINE_TOO_LONG] = {"LINE_TOO_LONG", LOG_LEVEL_WARNING, "lines over max_line"},
    [INCIDENT_BAD_REQUEST] = {"BAD_REQUEST", LOG_LEVEL_WARNING, "requests that ask for nothing"},
    [INCIDENT_BAD_DOCUMENT] = {"BAD_DOCUMENT", LOG_LEVEL_WARNING, "documents with a wrong field"},
    [INCIDENT_AUTH_REQUIRED] = {"AUTH_REQUIRED", LOG_LEVEL_WARNING,
                                "requests before a hello with a token"},
    [INCIDENT_AUTH_FAILED] = {"AUTH_FAILED", LOG_LEVEL_WARNING,
                              "hellos with a wrong token, or of a terminal that has none"},
    [INCIDENT_TERMINAL_MISMATCH] = {"TERMINAL_MISMATCH", LOG_LEVEL_WARNING,
                                    "documents in another terminal's name"},
    [INCIDENT_SEQ_TOO_OLD] = {"SEQ_TOO_OLD", LOG_LEVEL_WARNING, "seqs below the gaps remembered"},
    [INCIDENT_UNKNOWN_TOPIC] = {"UNKNOWN_TOPIC", LOG_LEVEL_INFO, "questions about no topic"},
    [INCIDENT_UNKNOWN_PARTITION] = {"UNKNOWN_PARTITION", LOG_LEVEL_INFO,
                                    "questions about no partition"},
    [INCIDENT_OFFSET_OUT_OF_RANGE] = {"OFFSET_OUT_OF_RANGE", LOG_LEVEL_INFO,
                                      "fetches before the start or after the end"},
    [INCIDENT_JOURNAL_FULL] = {"JOURNAL_FULL", LOG_LEVEL_WARNING, "refused: no room on the disk"},
    [INCIDENT_JOURNAL_BUSY] = {"JOURNAL_BUSY", LOG_LEVEL_WARNING,
                               "refused: another program holds the journal"},
    [INCIDENT_JOURNAL_FAILED] = {"JOURNAL_FAILED", LOG_LEVEL_WARNING, "refused: the disk failed"},
    [INCIDENT_RECORD_TOO_LARGE] = {"RECORD_TOO_LARGE", LOG_LEVEL_WARNING, "records over a batch"},
    [INCIDENT_TOO_MANY_TOPICS] = {"TOO_MANY_TOPICS", LOG_LEVEL_WARNING, "topics over the limit"},
    [INCIDENT_APPLIER_FAILED] = {"APPLIER_FAILED", LOG_LEVEL_WARNING,
                                 "journaled, but the outcome could not be told"},
    [INCIDENT_APPLIER_BEHIND] = {"APPLIER_BEHIND", LOG_LEVEL_WARNING,
                                 "journaled, but the stock is being made anew"},
    [INCIDENT_NO_MEMORY] = {"NO_MEMORY", LOG_LEVEL_WARNING, "refused for want of memory"},
    [INCIDENT_TOO_MANY_CONNECTIONS] = {"TOO_MANY_CONNECTIONS", LOG_LEVEL_WARNING,
                                       "connections over max_connections"},
    [INCIDENT_IDLE_TIMEOUT] = {"IDLE_TIMEOUT", LOG_LEVEL_INFO, "connections closed as idle"},
    [INCIDENT_FAILED] = {"FAILED", LOG_LEVEL_WARNING, "requests that could not be done"},
    [INCIDENT_DAMAGED] = {"DAMAGED", LOG_LEVEL_ERROR, "questions about what is damaged"},
    [INCIDENT_TLS_REQUIRED] = {"TLS_REQUIRED", LOG_LEVEL_WARNING,
                               "connections without TLS where it is spoken"},
    [INCIDENT_NO_TLS] = {"NO_TLS", LOG_LEVEL_WARNING, "connections with TLS where it is not"},
    [INCIDENT_BAD_CERTIFICATE] = {"BAD_CERTIFICATE", LOG_LEVEL_WARNING,
                                  "client certificates that name no terminal"},
    [INCIDENT_OTHER_REFUSAL] = {"other_refusal", LOG_LEVEL_WARNING, "refusals of another code"},

    [INCIDENT_SEQ_DUPLICATE] = {"seq_duplicate", LOG_LEVEL_INFO, "seqs journaled before"},
    [INCIDENT_SEQ_REUSED] = {"seq_reused", LOG_LEVEL_WARNING,
                             "seqs sent again with another document"},
    [INCIDENT_CONNECTION_BROKEN] = {"connection_broken", LOG_LEVEL_INFO,
                                    "connections that broke off"},
    [INCIDENT_TLS_HANDSHAKE] = {"tls_handshake", LOG_LEVEL_WARNING,
                                "connections that did not come to terms on TLS"},
    [INCIDENT_TLS_STALLED] = {"tls_stalled", LOG_LEVEL_WARNING,
                              "connections closed half way to TLS"},
    [INCIDENT_CERTIFICATE_ENDS] = {"certificate_ends", LOG_LEVEL_WARNING,
                                   "days on which the certificate was about to end, or had"},
    [INCIDENT_REPLIES_NOT_TAKEN] = {"replies_not_taken", LOG_LEVEL_WARNING,
                                    "connections that did not take their replies"},
    [INCIDENT_CONNECTION_NO_MEMORY] = {"connection_no_memory", LOG_LEVEL_WARNING,
                                       "connections ended for want of memory"},
    [INCIDENT_ACCEPT_FAILED] = {"accept_failed", LOG_LEVEL_WARNING,
                                "connections that could not be accepted"},

    [INCIDENT_RESERVE_FAILED] = {"reserve_failed", LOG_LEVEL_WARNING,
                                 "reserves not made, with room on the disk"},
    [INCIDENT_DISK_FULL] = {"disk_full", LOG_LEVEL_ERROR, "times writing stopped for want of room"},
    [INCIDENT_COMMIT_FULL] = {"commit_full", LOG_LEVEL_ERROR, "commits without room on the disk"},
    [INCIDENT_COMMIT_NO_MEMORY] = {"commit_no_memory", LOG_LEVEL_ERROR, "commits without memory"},
    [INCIDENT_COMMIT_BUSY] = {"commit_busy", LOG_LEVEL_ERROR, "commits another program kept off"},
    [INCIDENT_COMMIT_MISTAKE] = {"commit_mistake", LOG_LEVEL_ERROR,
                                 "commits SQLite refused: a mistake of this program"},
    [INCIDENT_COMMIT_DISK] = {"commit_disk", LOG_LEVEL_ERROR, "commits the disk failed in"},
    [INCIDENT_STATE_UNREADABLE] = {"state_unreadable", LOG_LEVEL_ERROR,
                                   "the journal was unreadable after a failed commit"},
    [INCIDENT_CHECKPOINT_FAILED] = {"checkpoint_failed", LOG_LEVEL_WARNING, "checkpoints put off"},
    [INCIDENT_CHECKPOINT_DISK] = {"checkpoint_disk", LOG_LEVEL_ERROR,
                                  "checkpoints the disk failed in"},
    [INCIDENT_ROLL_FAILED] = {"roll_failed", LOG_LEVEL_ERROR, "segments not begun"},
    [INCIDENT_ROLL_DISK] = {"roll_disk", LOG_LEVEL_ERROR, "rolls the disk failed in"},
    [INCIDENT_SEAL_FAILED] = {"seal_failed", LOG_LEVEL_ERROR, "segments not sealed"},
    [INCIDENT_SEAL_DISK] = {"seal_disk", LOG_LEVEL_ERROR, "seals the disk failed in"},
    [INCIDENT_OFFSETS_LOST] = {"offsets_lost", LOG_LEVEL_ERROR,
                               "stretches of offsets lost with a damaged segment"},
    [INCIDENT_SEGMENT_SET_ASIDE] = {"segment_set_aside", LOG_LEVEL_ERROR,
                                    "damaged active segments set aside and salvaged"},
    [INCIDENT_SEGMENT_DAMAGED] = {"segment_damaged", LOG_LEVEL_ERROR,
                                  "sealed segments found damaged or missing"},
    [INCIDENT_OFFSETS_UNKNOWN] = {"offsets_unknown", LOG_LEVEL_WARNING,
                                  "starts after which re-sends have no offsets"},

    [INCIDENT_DOCUMENT_REJECTED] = {"document_rejected", LOG_LEVEL_WARNING, "documents rejected"},
    [INCIDENT_DOCUMENT_CONFLICT] = {"document_conflict", LOG_LEVEL_WARNING,
                                    "documents with an id of another"},
    [INCIDENT_APPLIER_STANDS_FULL] = {"applier_full", LOG_LEVEL_ERROR,
                                      "stands without room for the stock file"},
    [INCIDENT_APPLIER_STANDS_WAITING] = {"applier_waiting", LOG_LEVEL_ERROR,
                                         "stands short of memory or files"},
    [INCIDENT_APPLIER_STANDS_FAILED] = {"applier_failed", LOG_LEVEL_ERROR,
                                        "stands until a restart"},
    [INCIDENT_APPLIER_READ_FAILED] = {"applier_read_failed", LOG_LEVEL_ERROR,
                                      "looks into the journal that failed"},
    [INCIDENT_BATCH_DAMAGED] = {"batch_damaged", LOG_LEVEL_ERROR, "damaged batches met"},
    [INCIDENT_STOCK_CHECKPOINT_FAILED] = {"stock_checkpoint_failed", LOG_LEVEL_WARNING,
                                          "checkpoints of the stock file put off"},

    [INCIDENT_DATABASE_ERROR] = {"database_error", LOG_LEVEL_ERROR, "errors SQLite reported"},
    [INCIDENT_LOOP_ERROR] = {"loop_error", LOG_LEVEL_ERROR, "errors libevent reported"},
    [INCIDENT_LOOP_WARNING] = {"loop_warning", LOG_LEVEL_WARNING, "warnings of libevent"},
    [INCIDENT_NOTIFY_FAILED] = {"notify_failed", LOG_LEVEL_WARNING, "messages systemd did not get"},
    [INCIDENT_RELOAD_FAILED] = {"reload_failed", LOG_LEVEL_ERROR, "configurations not taken"},
    [INCIDENT_THREAD_STUCK] = {"thread_stuck", LOG_LEVEL_ERROR, "watchdog periods with no step"},

    [INCIDENT_LOG_RECOVERED] = {"log_recovered", LOG_LEVEL_NOTICE,
                                "the journal's log was recovered at start"},
    [INCIDENT_ROLL_UNDONE] = {"roll_undone", LOG_LEVEL_NOTICE, "half-made segments passed over"},
    [INCIDENT_JOURNAL_RESUMED] = {"journal_resumed", LOG_LEVEL_NOTICE, "writing went on"},
    [INCIDENT_APPLIER_RESUMED] = {"applier_resumed", LOG_LEVEL_NOTICE, "applying went on"},
    [INCIDENT_STOCK_SET_ASIDE] = {"stock_set_aside", LOG_LEVEL_WARNING, "stock files set aside"},
    [INCIDENT_STOCK_REBUILT] = {"stock_rebuilt", LOG_LEVEL_NOTICE,
                                "stock files made anew from the journal"},
    [INCIDENT_SEGMENT_BEGUN] = {"segment_begun", LOG_LEVEL_INFO, "segments begun"},
    [INCIDENT_SEGMENT_SEALED] = {"segment_sealed", LOG_LEVEL_INFO, "segments sealed"},
};

static _Atomic int64_t counts[INCIDENT_COUNT];
static struct log_limit limits[INCIDENT_COUNT];
static _Atomic(const struct clock *) limit_clock; /* NULL: the system's */

static int64_t now_us(void)
{
    const struct clock *clock = atomic_load(&limit_clock);
    return clock_monotonic_us(clock ? clock : &clock_system);
}

__attribute__((format(printf, 3, 0))) static void note(enum incident kind, int64_t times,
                                                       const char *format, va_list arguments)
{
    const struct row *row = &rows[kind];
    int64_t kept_back;
    atomic_fetch_add_explicit(&counts[kind], times, memory_order_relaxed);
    if (!log_is_written(row->level) || !log_limit_take(&limits[kind], now_us(), &kept_back))
        return;
    char message[MESSAGE_BYTES];
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    if (kept_back > 0)
        log_write(row->level, "%s: %s; %lld more like it since", row->name, message,
                  (long long)kept_back);
    else
        log_write(row->level, "%s: %s", row->name, message);
}

void incident_note(enum incident kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(kind, 1, format, arguments);
    va_end(arguments);
}

void incident_note_many(enum incident kind, int64_t times, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(kind, times, format, arguments);
    va_end(arguments);
}

enum incident incident_of_code(struct text code)
{
    for (int kind = 0; kind < INCIDENT_OTHER_REFUSAL; kind++)
        if (text_is(code, rows[kind].name))
            return (enum incident)kind;
    return INCIDENT_OTHER_REFUSAL;
}

int64_t incident_count(enum incident kind)
{
    return atomic_load_explicit(&counts[kind], memory_order_relaxed);
}

const char *incident_name(enum incident kind)
{
    return rows[kind].name;
}

const char *incident_meaning(enum incident kind)
{
    return rows[kind].meaning;
}

enum log_level incident_level(enum incident kind)
{
    return rows[kind].level;
}

void incident_add_json(struct buffer *buffer)
{
    const char *separator = "{";
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        int64_t count = incident_count((enum incident)kind);
        if (count == 0)
            continue;
        buffer_add_format(buffer, "%s\"%s\":%lld", separator, rows[kind].name, (long long)count);
        separator = ",";
    }
    buffer_add_string(buffer, *separator == '{' ? "{}" : "}");
}

void incident_tell_rest(void)
{
    int64_t now = now_us();
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        int64_t kept_back;
        if (log_limit_take_rest(&limits[kind], now, &kept_back))
            log_write(rows[kind].level, "%s: %lld more like it since", rows[kind].name,
                      (long long)kept_back);
    }
}

void incident_reset(const struct clock *clock)
{
    atomic_store(&limit_clock, clock);
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        atomic_store(&counts[kind], 0);
        log_limit_reset(&limits[kind]);
    }
}
