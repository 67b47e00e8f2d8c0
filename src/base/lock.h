/* lock: one daemon a data directory. flock(2) on DIRECTORY/lock, which says who holds it; the
 * kernel lets go of it with the process, however that ends. */
#ifndef TILLQ_BASE_LOCK_H
#define TILLQ_BASE_LOCK_H

#include "base/failure.h"

/* The descriptor that holds the lock (close it to let go), or -1 with who holds it. `who` is
 * written into the file, e.g. "tillqd". */
int lock_take(const char *directory, const char *who, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
