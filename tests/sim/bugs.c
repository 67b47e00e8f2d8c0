#include "bugs.h"

#include <stddef.h>
#include <string.h>

#include "base/planted.h"

struct bug {
    const char *name;
    int seeds; /* within which it must be found */
    const char *what;
};

static const struct bug bugs[PLANTED_COUNT] = {
    [PLANTED_NO_SYNC] = {"no-sync", 50, "commits of the journal are not synced"},
    [PLANTED_NO_FOLDER_SYNC] = {"no-folder-sync", 50,
                                "the folder a journal is made in is not synced"},
    [PLANTED_NO_SYNC_AT_START] =
        {"no-sync-at-start", 100,
         "what a killed process left in a log is served, not synced first"},
    [PLANTED_ACK_BEFORE_COMMIT] = {"ack-before-commit", 50,
                                   "a commit is acknowledged and made with the next one"},
    [PLANTED_APPLIED_APART] = {"applied-apart", 50,
                               "the applied offset is committed after its effects"},
    [PLANTED_WRITES_SWAPPED] = {"writes-swapped", 50,
                                "producers are committed before their records"},
    [PLANTED_PRODUCERS_LOST_AT_ROLL] = {"producers-lost-at-roll", 50,
                                        "a new segment does not carry the producers on"},
    [PLANTED_REPLY_OUT_OF_TURN] = {"reply-out-of-turn", 50,
                                   "a reply leaves when it is ready, not when it is its turn"},
    [PLANTED_NO_DUPLICATE_CHECK] = {"no-duplicate-check", 50,
                                    "a seq sent again is journaled again"},
    [PLANTED_TORN_BATCH_TAKEN] = {"torn-batch-taken", 50,
                                  "a batch whose hash does not fit is read as if it were whole"},
    [PLANTED_FAILED_SYNC_TRUSTED] = {"failed-sync-trusted", 100,
                                     "a commit whose write or sync failed counts as made"},
    [PLANTED_FAILED_ROLL_KEPT] = {"failed-roll-kept", 1000,
                                  "the file of a roll that failed stays, and a start takes it"},
    [PLANTED_GROUP_OFFSET_FORGOTTEN] = {"group-offset-forgotten", 50,
                                        "a group's offset is acknowledged and not written"},
    [PLANTED_ROLLBACK_FORGOTTEN] = {"rollback-forgotten", 50,
                                    "after a failed transaction memory is not read again"},
    [PLANTED_FULL_TAKEN_FOR_DONE] = {"full-taken-for-done", 50,
                                     "a commit that found no room counts as made"},
    [PLANTED_DUPLICATE_OF_FAILED_ACKNOWLEDGED] =
        {"duplicate-of-failed-acknowledged", 100,
         "a re-send in the same commit is acknowledged although the commit failed"},
    [PLANTED_ROW_NOT_WRITTEN] = {"row-not-written", 50,
                                 "a transaction writes the last of its stock rows only"},
    [PLANTED_SEALED_BUT_NOT_SYNCED] = {"sealed-but-not-synced", 50,
                                       "a sealed segment is hashed before its folder is synced"},
    [PLANTED_OLDER_NOT_SETTLED] = {"older-not-settled", 400,
                                   "a start leaves a segment that was being sealed half done"},
    [PLANTED_LATE_SEQ_REFUSED] = {"late-seq-refused", 50,
                                  "a seq that was skipped and comes late counts as a duplicate"},
};

#ifdef TILLQ_PLANTED
enum planted planted_now;
static const enum planted *const chosen = &planted_now;
#else
static const enum planted nothing = PLANTED_NOTHING;
static const enum planted *const chosen = &nothing;
#endif

void bugs_list(FILE *out)
{
    for (int i = 1; i < PLANTED_COUNT; i++)
        fprintf(out, "%s %d %s\n", bugs[i].name, bugs[i].seeds, bugs[i].what);
}

int bugs_choose(const char *name)
{
    for (int i = 1; i < PLANTED_COUNT; i++) {
        if (strcmp(bugs[i].name, name) != 0)
            continue;
#ifdef TILLQ_PLANTED
        planted_now = (enum planted)i;
        return 0;
#endif
    }
    return -1;
}

const char *bugs_name(void)
{
    return bugs[*chosen].name;
}
