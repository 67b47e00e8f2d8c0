/* journal_internal: the inside of a journal, for open.c (opening), journal.c (appending), tend.c
 * (housekeeping) and the test of failing disks alone. */
#ifndef TILLQ_JOURNAL_JOURNAL_INTERNAL_H
#define TILLQ_JOURNAL_JOURNAL_INTERNAL_H

#include "base/db.h"
#include "base/sha256.h"
#include "journal/batch.h"
#include "journal/journal.h"
#include "journal/producers.h"
#include "journal/reserve.h"

struct partition {
    char topic[TOPIC_NAME_BYTES + 1];
    int number;
    int64_t log_start;
    int64_t end;                          /* the next offset */
    unsigned char head[SHA256_BYTES];     /* hash of the last batch */
    struct db_statement *insert;          /* NULL while the partition is new and not committed */
    struct batch_builder building;        /* staged by the commit now being made */
    unsigned char new_head[SHA256_BYTES]; /* head, once that commit is through */
};

/* The segment before the active one that is on its way to be sealed. */
struct sealing {
    struct db *db;
    int64_t number;
    bool closed; /* its log is gone, the file will not change any more */
    int64_t at;  /* hashed so far */
    struct sha256 *hash;
};

struct journal {
    struct journal_options options;
    struct db *db; /* the active segment */
    int64_t number;
    struct db_statement *save_producer;
    struct db_statement *save_group;
    struct db_statement *count_pages;
    bool prepared; /* those three, and each partition's */
    int64_t page_bytes;
    struct partition *partitions; /* `stock` first */
    int partition_count;
    struct producers *producers;
    struct sha256 *hash;
    enum journal_health health;
    const char *message;
    struct reserve reserve;
    int64_t looked_for_room_us;
    bool has_looked_for_room;
    int64_t roll_at_bytes;    /* pushed back when a roll could not be made */
    int64_t unmeasured_bytes; /* written since the segment's size was last looked at */
    struct sealing sealing;
    bool all_sealed;
    struct buffer damage; /* see journal_damage */
    char directory[];
};

/* Adds a partition that has nothing in it. NULL: no memory. */
struct partition *journal_add_partition(struct journal *journal, struct text topic, int number);
/* Reads memory again from what is committed. `windows`: also the offsets of what each terminal sent
 * last; a re-send is recognised without. 0, -1 where the file is damaged, -2 where it cannot be
 * read now. */
int journal_load(struct journal *journal, bool windows);
/* There is no room: the reserve is given back, writes are refused. */
void journal_become_full(struct journal *journal);
/* Some times a second, by the clock: whether there is room again, or hardly any left. */
void journal_look_for_room(struct journal *journal);
/* A segment before the active one that is still writable. One that was sealed, but for its mode, is
 * given that. One that was being sealed is opened once: only an owner can undo what was left half
 * done, and until then nobody can read it. */
void journal_settle_segment(const struct journal *journal, int64_t number, const char *path);
/* 1, 0, or -1 where it cannot be told: a sealed segment must never be opened by its owner again. */
int journal_has_sealed(const struct journal *journal, int64_t number);
/* Frees what journal_load has read, statements included. */
void journal_forget(struct journal *journal);
/* Prepares what is done on the active segment, where it is not; _all: the partitions' too. 0 or
 * -1. */
int journal_prepare(struct journal *journal, struct failure *failure);
int journal_prepare_all(struct journal *journal, struct failure *failure);
int journal_prepare_insert(struct journal *journal, struct partition *partition); /* 0 or -1 */
/* Writes schema and state of segment `number` into an empty file, in one transaction. */
enum db_result journal_make_segment(const struct journal *journal, struct db *db, int64_t number);
enum db_result journal_create_partition(struct journal *journal, struct partition *partition);
enum db_result journal_insert_batch(struct db_statement *insert, const struct batch *batch);
/* Writes the producers that have changed. */
enum db_result journal_save_producers(struct journal *journal);
/* Begins a new segment: the active one's state carried over. 0, or -1 with the old one in place. */
int journal_roll(struct journal *journal, struct failure *failure);

#endif
