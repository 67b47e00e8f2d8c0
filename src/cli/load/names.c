#include "cli/load/names.h"

#include <stdbool.h>
#include <stdlib.h>

#include "cli/load/random.h"

static uint64_t hash_of(struct text name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, then scattered for its low bits */
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.bytes[i]) * 0x100000001b3u;
    return random_scatter(hash);
}

/* Where `name` stands in the table, or the free slot where it would. */
static uint32_t *find_slot(const struct names *names, struct text name)
{
    uint32_t mask = names->slot_count - 1;
    uint32_t at = (uint32_t)hash_of(name) & mask;
    while (names->slots[at] != 0 && !text_equal(names_text(names, names->slots[at] - 1), name))
        at = (at + 1) & mask;
    return &names->slots[at];
}

/* Twice the room; at most half of the slots are ever taken. */
static bool grow(struct names *names)
{
    uint32_t capacity = names->capacity ? names->capacity * 2 : 512;
    uint32_t *ends = realloc(names->ends, capacity * sizeof *ends);
    if (!ends)
        return false;
    names->ends = ends;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (!slots)
        return false;
    free(names->slots);
    names->slots = slots;
    names->slot_count = capacity * 2;
    names->capacity = capacity;
    for (uint32_t i = 0; i < names->count; i++)
        *find_slot(names, names_text(names, i)) = i + 1;
    return true;
}

uint32_t names_add(struct names *names, struct text name)
{
    if (names->count == names->capacity && (names->capacity > UINT32_MAX / 4 || !grow(names)))
        return NAMES_NONE;
    uint32_t *slot = find_slot(names, name);
    if (*slot != 0)
        return *slot - 1;
    if (name.length > UINT32_MAX - names->bytes.length)
        return NAMES_NONE;
    buffer_add(&names->bytes, name.bytes, name.length);
    if (names->bytes.failed)
        return NAMES_NONE;
    names->ends[names->count] = (uint32_t)names->bytes.length;
    *slot = ++names->count;
    return names->count - 1;
}

uint32_t names_find(const struct names *names, struct text name)
{
    if (names->slot_count == 0)
        return NAMES_NONE;
    uint32_t found = *find_slot(names, name);
    return found == 0 ? NAMES_NONE : found - 1;
}

struct text names_text(const struct names *names, uint32_t number)
{
    uint32_t begin = number == 0 ? 0 : names->ends[number - 1];
    return (struct text){names->bytes.bytes + begin, names->ends[number] - begin};
}

void names_free(struct names *names)
{
    buffer_free(&names->bytes);
    free(names->ends);
    free(names->slots);
    *names = (struct names){0};
}
