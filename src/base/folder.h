/* folder: a directory that is there after a power cut, too. */
#ifndef TILLQ_BASE_FOLDER_H
#define TILLQ_BASE_FOLDER_H

#include "base/failure.h"

/* Makes `path` (mode 0750) where it is not there, and syncs the directory it lies in, whether it
 * made it or not: without that, what is synced inside it may vanish with its name. Its parent must
 * exist. 0 or -1. */
int folder_make(const char *path, struct failure *failure) __attribute__((warn_unused_result));

#endif
