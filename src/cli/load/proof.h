/* proof: does the daemon's stock differ, before and after a run, by exactly what the run's
 * acknowledged documents say?
 *
 * Every sku of the shop is looked at, also those the run never named: those must not have changed.
 * Holds only while nobody else writes to the shop. Exact: 64-bit thousandths. */
#ifndef TILLQ_CLI_LOAD_PROOF_H
#define TILLQ_CLI_LOAD_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "cli/load/names.h"
#include "cli/source.h"

struct proof_sku {
    int64_t before_milli;
    int64_t after_milli;
    bool in_stock; /* has a row, before or after */
};

struct proof {
    struct source *source;
    const char *shop;
    int64_t patience_s; /* how long the applier may stand still */
    struct names skus;  /* numbered as in the workload, then what else is in stock */
    struct proof_sku *figures;
    size_t capacity; /* of figures */
    int64_t outcomes_before[2];
    int64_t accepted; /* out: outcomes since, as the daemon counts them */
    int64_t rejected;
    int64_t skus_compared; /* out: skus in stock, before or after */
    int64_t differences;   /* out */
};

/* Waits until all that is journaled is applied and takes the figures. -1 where it cannot; "after"
 * may then be tried again. */
int proof_take_before(struct proof *proof, const struct names *workload_skus,
                      struct failure *failure) __attribute__((warn_unused_result));
int proof_take_after(struct proof *proof, struct failure *failure)
    __attribute__((warn_unused_result));

/* Compares; `sums_milli` by the numbers of the workload's skus. Complains of each difference. */
void proof_compare(struct proof *proof, const int64_t *sums_milli, uint32_t sum_count);
void proof_free(struct proof *proof);

#endif
