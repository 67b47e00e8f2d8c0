/* schema: what stands in a segment file. The only place with the journal's DDL.
 *
 * On-disk format version 1. To change it: give the new form the next number, keep reading every old
 * number (or write a conversion that runs at a roll, never in place: a sealed segment is never
 * changed), put a file of the old form under tests/data, and say so in CHANGELOG.md. */
#ifndef TILLQ_JOURNAL_SCHEMA_H
#define TILLQ_JOURNAL_SCHEMA_H

#include "base/buffer.h"
#include "base/text.h"
#include "journal/record.h"

#define JOURNAL_FORMAT 1

/* Everything but the partitions' own tables. */
extern const char journal_schema[];

/* The name of a partition's table: "topic-number". SQLite does not tell A from a in names, so a
 * capital letter is written with a plus before it: topic Ab, partition 0 is the table "+ab-0". */
#define TABLE_NAME_BYTES (2 * TOPIC_NAME_BYTES + 16)
void partition_table(char name[TABLE_NAME_BYTES], struct text topic, int partition);

/* The table of one partition, and the view of the topic, named alike without the number, that shows
 * a person one row a record. `topic` is a checked name (topic_name_ok). */
void journal_partition_schema(struct buffer *sql, struct text topic, int partition);

/* [A-Za-z0-9._-], 1 to TOPIC_NAME_BYTES, not a name SQLite or we use. */
bool topic_name_ok(struct text name);

#endif
