#include "cli/load/report.h"

#include <stdio.h>
#include <sys/resource.h>

#include "cli/command.h"

struct figures {
    double seconds;
    double acknowledged_per_s;
    double processor_seconds;
    int64_t p50_us, p90_us, p99_us, p999_us, most_us;
    int64_t accepted; /* -1 = not known */
    int64_t rejected;
};

static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct figures work_out(const struct load_run *run, const struct proof *proof)
{
    const struct histogram *latency = &run->latency;
    struct figures figures = {.p50_us = histogram_percentile_us(latency, 50000),
                              .p90_us = histogram_percentile_us(latency, 90000),
                              .p99_us = histogram_percentile_us(latency, 99000),
                              .p999_us = histogram_percentile_us(latency, 99900),
                              .most_us = histogram_percentile_us(latency, 100000),
                              .processor_seconds = processor_seconds(),
                              .accepted = -1,
                              .rejected = -1};
    figures.seconds = (double)(run->last_us - run->start_us) / 1e6;
    if (figures.seconds > 0)
        figures.acknowledged_per_s = (double)run->totals.documents / figures.seconds;
    if (run->options->ack == LOAD_ACK_APPLIED) {
        figures.accepted = run->totals.accepted;
        figures.rejected = run->totals.rejected;
    } else if (proof) {
        figures.accepted = proof->accepted;
        figures.rejected = proof->rejected;
    }
    return figures;
}

static const char *verdict(const struct proof *proof)
{
    return !proof ? "skipped" : proof->differences == 0 ? "agrees" : "differs";
}

static void add_outcome(struct buffer *line, const char *key, int64_t value)
{
    if (value < 0)
        buffer_add_format(line, ",\"%s\":null", key);
    else
        buffer_add_format(line, ",\"%s\":%lld", key, (long long)value);
}

static void print_json(const struct load_run *run, const struct proof *proof,
                       const struct figures *figures)
{
    const struct load_totals *totals = &run->totals;
    struct buffer line = {0};
    buffer_add_format(&line, "{\"documents\":%lld,\"lines\":%lld,\"seconds\":%.6f",
                      (long long)totals->documents, (long long)totals->lines, figures->seconds);
    buffer_add_format(&line, ",\"acknowledged_per_s\":%.1f", figures->acknowledged_per_s);
    buffer_add_format(&line, ",\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld",
                      (long long)figures->p50_us, (long long)figures->p90_us,
                      (long long)figures->p99_us, (long long)figures->p999_us);
    buffer_add_format(&line, ",\"max_us\":%lld,\"reconnects\":%lld,\"resent\":%lld",
                      (long long)figures->most_us, (long long)totals->reconnects,
                      (long long)totals->resent);
    buffer_add_format(&line, ",\"duplicates\":%lld,\"journaled_before\":%lld",
                      (long long)totals->duplicates, (long long)totals->before);
    add_outcome(&line, "accepted", figures->accepted);
    add_outcome(&line, "rejected", figures->rejected);
    buffer_add_format(&line, ",\"processor_seconds\":%.3f,\"proof\":\"%s\"",
                      figures->processor_seconds, verdict(proof));
    buffer_add_format(&line, ",\"skus\":%lld,\"differences\":%lld}",
                      (long long)(proof ? proof->skus_compared : 0),
                      (long long)(proof ? proof->differences : 0));
    print_line(buffer_text(&line));
    buffer_free(&line);
}

static void print_proof(const struct proof *proof)
{
    char words[80];
    if (!proof) {
        puts("proof         skipped");
        return;
    }
    fputs("proof: ", stdout);
    if (proof->differences == 0) {
        snprintf(words, sizeof words, "%lld skus agree", (long long)proof->skus_compared);
        print_good(words);
    } else {
        snprintf(words, sizeof words, "%lld of %lld skus differ", (long long)proof->differences,
                 (long long)proof->skus_compared);
        print_bad(words);
    }
    putchar('\n');
}

static void print_plain(const struct load_run *run, const struct proof *proof,
                        const struct figures *figures)
{
    const struct load_totals *totals = &run->totals;
    printf("documents     %lld with %lld lines\n", (long long)totals->documents,
           (long long)totals->lines);
    if (totals->before > 0)
        printf("before        %lld journaled by an earlier run\n", (long long)totals->before);
    if (run->workload.receipts.skipped_lines > 0)
        printf("left out      %lld lines that move no goods\n",
               (long long)run->workload.receipts.skipped_lines);
    printf("acknowledged  %.0f a second over %.2f s\n", figures->acknowledged_per_s,
           figures->seconds);
    printf("latency       p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f\n",
           (double)figures->p50_us / 1000, (double)figures->p90_us / 1000,
           (double)figures->p99_us / 1000, (double)figures->p999_us / 1000,
           (double)figures->most_us / 1000);
    printf("reconnects    %lld, documents resent %lld, answered as duplicates %lld\n",
           (long long)totals->reconnects, (long long)totals->resent, (long long)totals->duplicates);
    if (figures->accepted >= 0)
        printf("outcomes      %lld accepted, %lld rejected\n", (long long)figures->accepted,
               (long long)figures->rejected);
    print_proof(proof);
}

void report_print(const struct load_run *run, const struct proof *proof, bool json)
{
    struct figures figures = work_out(run, proof);
    if (json)
        print_json(run, proof, &figures);
    else
        print_plain(run, proof, &figures);
}
