#include "journal/hole.h"

const char hole_schema[] =
    "CREATE TABLE IF NOT EXISTS tillq_hole( -- offsets lost with damaged segments\n"
    "  topic     TEXT NOT NULL,\n"
    "  partition INTEGER NOT NULL,\n"
    "  first     INTEGER NOT NULL,\n"
    "  next      INTEGER NOT NULL, -- the first offset behind it\n"
    "  file      TEXT NOT NULL,    -- what was set aside\n"
    "  time_ms   INTEGER NOT NULL, -- when\n"
    "  PRIMARY KEY(topic, partition, first)\n"
    ") WITHOUT ROWID;\n";

const char hole_select[] = "SELECT topic, partition, first, next, file, time_ms FROM tillq_hole"
                           " ORDER BY topic, partition, first";
const char hole_insert[] = "INSERT OR REPLACE INTO tillq_hole VALUES(?,?,?,?,?,?)";
const char hole_kinds[] = "tiiiti";

bool hole_any(struct db *db)
{
    return db_int_of(db, "SELECT count(*) FROM sqlite_schema WHERE name='tillq_hole'", 0) > 0;
}

enum db_result hole_list(struct db *db, const struct hole *hole)
{
    enum db_result result = db_execute(db, hole_schema);
    if (result != DB_DONE)
        return result;
    struct db_statement *insert = db_prepare(db, hole_insert);
    if (!insert)
        return DB_FAILED;
    db_bind_text(insert, 1, hole->topic);
    db_bind_int(insert, 2, hole->partition);
    db_bind_int(insert, 3, hole->first);
    db_bind_int(insert, 4, hole->next);
    db_bind_text(insert, 5, hole->file);
    db_bind_int(insert, 6, hole->time_ms);
    result = db_run(insert);
    db_finalize(insert);
    return result;
}

bool hole_batch(const struct hole *hole, struct buffer *meta, struct batch *batch)
{
    buffer_clear(meta);
    buffer_add_json(meta, hole->file);
    *batch = (struct batch){
        .base_offset = hole->first,
        .count = hole->next - hole->first,
        .format = BATCH_FORMAT_HOLE,
        .time_ms = hole->time_ms,
        .meta = buffer_text(meta),
    };
    return !meta->failed;
}

int hole_each(struct db *db, void (*each)(const struct hole *hole, void *context), void *context)
{
    if (!hole_any(db))
        return 0;
    struct db_statement *row = db_prepare(db, hole_select);
    if (!row)
        return -1;
    enum db_result step;
    while ((step = db_step(row)) == DB_ROW) {
        struct hole hole = {db_text(row, 0), (int)db_int(row, 1), db_int(row, 2),
                            db_int(row, 3),  db_text(row, 4),     db_int(row, 5)};
        each(&hole, context);
    }
    db_finalize(row);
    return step == DB_DONE ? 0 : -1;
}
