/* applier: how fast the applier counts what is in a journal, and how fast bare SQLite writes the
 * very same rows.
 *
 *   applier write DIRECTORY DOCUMENTS even|hot|shop   makes a journal of so many receipts
 *   applier apply DIRECTORY                           counts all of it into a new stock file
 *   applier peer  DIRECTORY                           writes that stock file's rows once more
 *
 * The receipts have 3 to 5 lines of 20,000 skus: even = every sku as likely; hot = the same, but
 * one sku is in every second receipt; shop = few skus sell most. Each prints one JSON object and is
 * a process of its own, so that its peak memory is its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/db.h"
#include "base/lock.h"
#include "journal/journal.h"
#include "shared/measure.h"
#include "shared/peer.h"
#include "shared/sales.h"
#include "stock/applier.h"

#define COMMIT_DOCUMENTS 64
#define SKUS 20000
#define LINES_LEAST 3
#define LINES_MOST 5
#define HOT_PERCENT 50
#define DOCUMENTS_MOST 1000000000

static const char shop_key[] = "\"0001\"";

static double seconds_since(int64_t began_us)
{
    return (double)(clock_monotonic_us(&clock_system) - began_us) / 1e6;
}

/* --- write --- */

struct commit {
    struct append appends[COMMIT_DOCUMENTS];
    struct buffer lines[COMMIT_DOCUMENTS];
};

/* Links the next documents into one commit's chain; returns their lines. */
static int64_t fill_commit(struct commit *commit, struct sales *sales, int64_t documents)
{
    int64_t lines = 0;
    for (int64_t i = 0; i < documents; i++) {
        struct sale sale;
        if (sales_next(sales, &commit->lines[i], &sale) != 0)
            give_up("no memory for a receipt");
        struct append *append = &commit->appends[i];
        *append = (struct append){
            .kind = APPEND_RECORD,
            .topic = TEXT_LITERAL(STOCK_TOPIC),
            .record = {.key = TEXT_LITERAL(shop_key), .value = sale.document, .seq = sale.seq},
            .producer = sale.terminal};
        append->item.next = i + 1 < documents ? &commit->appends[i + 1].item : NULL;
        lines += (int64_t)sale.lines;
    }
    return lines;
}

static void append_commit(struct journal *journal, struct commit *commit, int64_t documents)
{
    bool retry;
    journal_append(journal, commit->appends);
    for (int64_t i = 0; i < documents; i++)
        if (commit->appends[i].error || commit->appends[i].duplicate)
            give_up("a receipt was not journaled: %s",
                    commit->appends[i].error ? commit->appends[i].message : "it is there already");
    journal_tend(journal, false, &retry);
}

static struct journal *open_new_journal(const char *directory)
{
    static struct config config;
    struct failure failure;
    struct journal_recovery found;
    struct journal *journal;
    if (mkdir(directory, 0750) != 0)
        give_up("%s: %s", directory, strerror(errno));
    if (lock_take(directory, "bench", &failure) < 0) /* held until this process ends */
        give_up("%s", failure.message);
    config_defaults(&config);
    struct journal_options options = {.directory = directory,
                                      .segment_bytes = config.segment_bytes,
                                      .cache_bytes = config.journal_cache_bytes,
                                      .clock = &clock_system};
    if (journal_open(&journal, &options, &found, &failure) != 0)
        give_up("%s", failure.message);
    return journal;
}

static void write_journal(const char *directory, int64_t documents, const char *spread)
{
    static struct commit commit;
    bool hot = strcmp(spread, "hot") == 0;
    struct sales_options options = {.skus = SKUS,
                                    .uniform = hot || strcmp(spread, "even") == 0,
                                    .hot_percent = hot ? HOT_PERCENT : 0,
                                    .lines_least = LINES_LEAST,
                                    .lines_most = LINES_MOST};
    struct sales sales;
    struct failure failure;
    if (sales_start(&sales, &options, &failure) != 0)
        give_up("%s", failure.message);
    struct journal *journal = open_new_journal(directory);
    int64_t lines = 0, left = documents, appending_us = 0;
    while (left > 0) {
        int64_t now = left < COMMIT_DOCUMENTS ? left : COMMIT_DOCUMENTS;
        lines += fill_commit(&commit, &sales, now);
        int64_t began_us = clock_monotonic_us(&clock_system);
        append_commit(journal, &commit, now);
        appending_us += clock_monotonic_us(&clock_system) - began_us;
        left -= now;
    }
    journal_close(journal);
    for (int i = 0; i < COMMIT_DOCUMENTS; i++)
        buffer_free(&commit.lines[i]);
    sales_free(&sales);
    printf("{\"documents\":%lld,\"lines\":%lld,\"seconds\":%.6f}\n", (long long)documents,
           (long long)lines, (double)appending_us / 1e6);
}

/* --- apply --- */

static void remove_stock(const char *directory)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/" STOCK_FILE "%s", directory, suffixes[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            give_up("%s: %s", path, strerror(errno));
    }
}

static void deliver_nothing(struct append *first, void *context)
{
    (void)first;
    (void)context;
}

static void apply_journal(const char *directory, const struct config *config)
{
    struct failure failure;
    struct applier *applier;
    struct applier_recovery found;
    struct applier_options options = {directory, config->stock_cache_bytes, config->apply_documents,
                                      deliver_nothing, NULL};
    remove_stock(directory);
    if (applier_new(&applier, &options, &found, &failure) != 0)
        give_up("%s", failure.message);
    int64_t began_us = clock_monotonic_us(&clock_system), used_us = processor_us();
    while (applier_step(applier) == WORKER_AGAIN)
        ;
    double seconds = seconds_since(began_us);
    double processor_seconds = (double)(processor_us() - used_us) / 1e6;
    struct applier_figures figures;
    applier_figures(applier, &figures);
    applier_stop(applier);
    if (figures.health != APPLIER_OK)
        give_up("the applier did not reach the journal's end");
    struct db *stock;
    if (stock_open_read(&stock, directory, &failure) != 0)
        give_up("%s: no stock file", directory);
    int64_t lines = db_int_of(stock, "SELECT max(id) FROM movement", 0);
    printf("{\"documents\":%lld,\"lines\":%lld,\"seconds\":%.6f,\"processor_seconds\":%.6f,"
           "\"peak_bytes\":%lld,\"stock_bytes\":%lld}\n",
           (long long)figures.applied, (long long)lines, seconds, processor_seconds,
           (long long)peak_resident_bytes(), (long long)db_file_bytes(stock));
    db_close(stock);
}

/* --- peer --- */

static int write_again(const char *directory, const struct config *config)
{
    char path[4096];
    struct peer_result result;
    snprintf(path, sizeof path, "%s/peer.db", directory);
    peer_write(directory, path, config->apply_documents, config->stock_cache_bytes, &result);
    printf("{\"documents\":%lld,\"lines\":%lld,\"seconds\":%.6f,\"processor_seconds\":%.6f,"
           "\"equal\":%s}\n",
           (long long)result.documents, (long long)result.movements, result.seconds,
           result.processor_seconds, result.equal ? "true" : "false");
    return result.equal ? 0 : 1;
}

int main(int count, char **arguments)
{
    struct config config;
    const char *what = count > 2 ? arguments[1] : "";
    config_defaults(&config);
    db_limit_memory();
    if (strcmp(what, "write") == 0 && count == 5 &&
        (strcmp(arguments[4], "even") == 0 || strcmp(arguments[4], "hot") == 0 ||
         strcmp(arguments[4], "shop") == 0)) {
        int64_t documents = read_number("DOCUMENTS", arguments[3], DOCUMENTS_MOST);
        write_journal(arguments[2], documents, arguments[4]);
        return 0;
    }
    if (strcmp(what, "apply") == 0 && count == 3) {
        apply_journal(arguments[2], &config);
        return 0;
    }
    if (strcmp(what, "peer") == 0 && count == 3)
        return write_again(arguments[2], &config);
    fputs("usage: applier write DIRECTORY DOCUMENTS even|hot|shop | apply DIRECTORY | "
          "peer DIRECTORY\n",
          stderr);
    return 2;
}
