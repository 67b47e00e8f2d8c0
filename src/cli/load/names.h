/* names: strings, each held once and known by its number: 0, 1, 2, … in the order they came. */
#ifndef TILLQ_CLI_LOAD_NAMES_H
#define TILLQ_CLI_LOAD_NAMES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

#define NAMES_NONE UINT32_MAX

/* All zeros is an empty one. */
struct names {
    struct buffer bytes;
    uint32_t *ends;  /* of name n in bytes */
    uint32_t *slots; /* open hash table of numbers + 1; its size a power of two */
    uint32_t count;
    uint32_t capacity; /* of ends */
    uint32_t slot_count;
};

/* The number of `name`, a new one where it is new; NAMES_NONE where there is no memory (or more
 * than 4 GiB of names). */
uint32_t names_add(struct names *names, struct text name) __attribute__((warn_unused_result));
/* NAMES_NONE where it is not held. */
uint32_t names_find(const struct names *names, struct text name);
/* Points into the names; moves when one is added. */
struct text names_text(const struct names *names, uint32_t number);
void names_free(struct names *names);

#endif
