/* planted: bugs put in on purpose, each at the place it names, to show that the simulator finds
 * them. In any build without -DTILLQ_PLANTED, PLANTED(…) is false when compiled and the bug is not
 * there. tests/sim/bugs.c says what each one is. */
#ifndef TILLQ_BASE_PLANTED_H
#define TILLQ_BASE_PLANTED_H

#include <stdbool.h>

#define PLANTED_BUGS(each)                                                                    \
    each(NO_SYNC) each(NO_FOLDER_SYNC) each(NO_SYNC_AT_START) each(ACK_BEFORE_COMMIT)         \
        each(APPLIED_APART) each(WRITES_SWAPPED) each(PRODUCERS_LOST_AT_ROLL)                 \
            each(REPLY_OUT_OF_TURN) each(NO_DUPLICATE_CHECK) each(TORN_BATCH_TAKEN)           \
                each(FAILED_SYNC_TRUSTED) each(FAILED_ROLL_KEPT) each(GROUP_OFFSET_FORGOTTEN) \
                    each(ROLLBACK_FORGOTTEN) each(FULL_TAKEN_FOR_DONE)                        \
                        each(DUPLICATE_OF_FAILED_ACKNOWLEDGED) each(ROW_NOT_WRITTEN)          \
                            each(SEALED_BUT_NOT_SYNCED) each(OLDER_NOT_SETTLED)               \
                                each(LATE_SEQ_REFUSED)

#define PLANTED_NAME(bug) PLANTED_##bug,
enum planted { PLANTED_NOTHING, PLANTED_BUGS(PLANTED_NAME) PLANTED_COUNT };
#undef PLANTED_NAME

#ifdef TILLQ_PLANTED
extern enum planted planted_now; /* defined by the program that plants */
#define PLANTED(bug) (planted_now == PLANTED_##bug)
#else
#define PLANTED(bug) false
#endif

#endif
