/* config_internal: what config.c and config_file.c share. */
#ifndef TILLQ_BASE_CONFIG_INTERNAL_H
#define TILLQ_BASE_CONFIG_INTERNAL_H

#include "base/config.h"

/* The number of a key, or SIZE_MAX. `section` NULL: of the first key so called in any section. */
size_t config_find(const char *section, const char *name);
bool config_has_section(const char *section);
/* May this key stand more than once? */
bool config_repeats(size_t key);
/* Sets one key from its text. 0, or -1 with "KEY: what is wrong". A key that repeats is added to.
 */
int config_set(struct config *config, size_t key, const char *value, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
