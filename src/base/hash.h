/* hash: SipHash-1-3 (Aumasson, Bernstein 2012; the 1-3 rounds as in Rust and the BSDs) for tables
 * whose keys strangers choose. The key is drawn once a process: it decides places in memory, never
 * anything that is stored or answered. */
#ifndef TILLQ_BASE_HASH_H
#define TILLQ_BASE_HASH_H

#include <stdint.h>

#include "base/text.h"

uint64_t hash_text(struct text text);
/* Another key than the one drawn: for a simulation, which must run the same way twice. Only while
 * no table is filled. */
void hash_set_key(uint64_t first, uint64_t second);

#endif
