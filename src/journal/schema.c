#include "journal/schema.h"

#include <stdio.h>
#include <strings.h>

const char journal_schema[] =
    "CREATE TABLE tillq_format(\n"
    "  version    INTEGER NOT NULL,  -- of this file's form; see schema.h of the source\n"
    "  segment    INTEGER NOT NULL,  -- this file's number: 0, 1, 2, ...\n"
    "  created_ms INTEGER NOT NULL,  -- since 1970 UTC\n"
    "  program    TEXT NOT NULL      -- what made it\n"
    ");\n"
    "CREATE TABLE tillq_partition(   -- all partitions, as they were when this segment began\n"
    "  topic      TEXT NOT NULL,\n"
    "  partition  INTEGER NOT NULL,\n"
    "  log_start  INTEGER NOT NULL,  -- first offset that still exists anywhere\n"
    "  start      INTEGER NOT NULL,  -- first offset that belongs into this segment\n"
    "  start_hash BLOB NOT NULL,     -- hash of the last batch before it; 32 zero bytes at the "
    "very start\n"
    "  PRIMARY KEY(topic, partition)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE tillq_producer(    -- what every terminal has sent; moves with the records\n"
    "  name     TEXT PRIMARY KEY,\n"
    "  last_seq INTEGER NOT NULL,\n"
    "  floor    INTEGER NOT NULL,    -- gaps below it are forgotten\n"
    "  gaps     TEXT NOT NULL        -- [[first,last],...]: never journaled, may still come\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE tillq_group(       -- committed offsets of consumer groups\n"
    "  name      TEXT NOT NULL,\n"
    "  topic     TEXT NOT NULL,\n"
    "  partition INTEGER NOT NULL,\n"
    "  offset    INTEGER NOT NULL,   -- the next one to read\n"
    "  time_ms   INTEGER NOT NULL,\n"
    "  PRIMARY KEY(name, topic, partition)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE tillq_segment(     -- the sealed segments before this one\n"
    "  number INTEGER PRIMARY KEY,\n"
    "  bytes  INTEGER NOT NULL,\n"
    "  sha256 BLOB NOT NULL          -- of the whole file\n"
    ");\n";

static size_t view_name(char name[TABLE_NAME_BYTES], struct text topic)
{
    size_t length = 0;
    for (size_t i = 0; i < topic.length && length < 2 * TOPIC_NAME_BYTES; i++) {
        char c = topic.bytes[i];
        bool capital = c >= 'A' && c <= 'Z';
        if (capital)
            name[length++] = '+';
        name[length++] = capital ? (char)(c - 'A' + 'a') : c;
    }
    name[length] = '\0';
    return length;
}

void partition_table(char name[TABLE_NAME_BYTES], struct text topic, int partition)
{
    size_t length = view_name(name, topic);
    snprintf(name + length, TABLE_NAME_BYTES - length, "-%d", partition);
}

void journal_partition_schema(struct buffer *sql, struct text topic, int partition)
{
    char table[TABLE_NAME_BYTES], view[TABLE_NAME_BYTES];
    partition_table(table, topic, partition);
    view_name(view, topic);
    buffer_add_format(
        sql,
        "CREATE TABLE \"%s\"(\n"
        "  base_offset INTEGER PRIMARY KEY, -- of the first record\n"
        "  count       INTEGER NOT NULL,\n"
        "  format      INTEGER NOT NULL,    -- 1: JSON arrays; 0: offsets that are lost\n"
        "  time_ms     INTEGER NOT NULL,    -- when the journal took it\n"
        "  lengths     BLOB NOT NULL,       -- bytes of each meta and value, LEB128\n"
        "  meta        TEXT NOT NULL,       -- [[key,headers,producer,seq],...]\n"
        "  records     TEXT NOT NULL,       -- [value,...]: the bytes that came\n"
        "  hash        BLOB NOT NULL        -- SHA-256 over the batch before and this\n"
        ");\n",
        table);
    buffer_add_format(
        sql,
        "CREATE VIEW IF NOT EXISTS \"%s\" AS SELECT %d AS partition,\n"
        "  b.base_offset + r.key AS \"offset\",\n"
        "  strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', b.time_ms / 1000.0, 'unixepoch') AS time,\n"
        "  json_extract(b.meta, '$[' || r.key || '][0]') AS key,\n"
        "  json_extract(b.meta, '$[' || r.key || '][1]') AS headers,\n"
        "  json_extract(b.meta, '$[' || r.key || '][2]') AS producer,\n"
        "  json_extract(b.meta, '$[' || r.key || '][3]') AS seq,\n"
        "  r.value AS value\n"
        "  FROM \"%s\" b, json_each(b.records) r WHERE b.format = 1;\n",
        view, partition, table);
}

bool topic_name_ok(struct text name)
{
    if (name.length == 0 || name.length > TOPIC_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.bytes[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok)
            return false;
    }
    bool reserved = (name.length >= 6 && strncasecmp(name.bytes, "tillq_", 6) == 0) ||
                    (name.length >= 7 && strncasecmp(name.bytes, "sqlite_", 7) == 0);
    /* "." and ".." for the day a topic is a directory; "a-0" would be the table of topic "a". */
    size_t digits = 0;
    while (digits < name.length && name.bytes[name.length - 1 - digits] >= '0' &&
           name.bytes[name.length - 1 - digits] <= '9')
        digits++;
    bool like_a_table =
        digits > 0 && digits < name.length - 1 && name.bytes[name.length - 1 - digits] == '-';
    return !reserved && !like_a_table && !text_is(name, ".") && !text_is(name, "..");
}
