/* workload: the documents of a run, out of a file or made up, as request lines.
 *
 * A document is a function of its terminal and seq alone; nothing that was sent is kept. */
#ifndef TILLQ_CLI_LOAD_WORKLOAD_H
#define TILLQ_CLI_LOAD_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "cli/load/basket.h"
#include "cli/load/names.h"
#include "cli/load/receipt.h"
#include "cli/load/receipts.h"

struct load_options;

/* "T" and a number of at least two digits; the prefix may be longer. */
#define TERMINAL_NAME_BYTES 48
#define ID_BYTES_MAX 64

struct workload {
    const struct load_options *options;
    bool made_up;
    struct receipts receipts;
    struct basket basket;
    int64_t count;            /* documents of all terminals */
    const struct names *skus; /* of the one that is used */
    struct buffer head;       /* `{"op":"put","ack":"journal","doc":{"shop":"0001"` */
    struct buffer tail;       /* `,"check":"hard"` where it is not none */
};

/* -1 where the file is bad or an id would be too long; workload_free in any case. */
int workload_start(struct workload *workload, const struct load_options *options,
                   struct failure *failure) __attribute__((warn_unused_result));
void workload_free(struct workload *workload);

void workload_name_terminal(const struct workload *workload, uint32_t terminal,
                            char name[TERMINAL_NAME_BYTES]);
/* How many documents belong to this terminal: its seqs are below. */
int64_t workload_documents(const struct workload *workload, uint32_t terminal);

/* The receipt; the workload's until the next call. */
void workload_get(struct workload *workload, uint32_t terminal, int64_t seq,
                  struct receipt *receipt);
/* Writes its id and returns the length; where that is more than ID_BYTES_MAX it is not whole. */
size_t workload_write_id(const struct workload *workload, const char *terminal_name,
                         const struct receipt *receipt, char id[ID_BYTES_MAX]);
/* Adds its request line with LF. */
void workload_add_line(const struct workload *workload, const char *terminal_name, int64_t seq,
                       const struct receipt *receipt, struct buffer *out);

#endif
