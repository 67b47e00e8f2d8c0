/* support_stock: stock files for unit tests: filled from a scene's journal, asked, compared; and
 * documents of every kind, drawn by dice. */
#ifndef TILLQ_TESTS_UNIT_SUPPORT_STOCK_H
#define TILLQ_TESTS_UNIT_SUPPORT_STOCK_H

#include "stock/compare.h"
#include "stock/fold.h"
#include "stock/replay.h"
#include "support.h"

/* --- asking --- */

/* All rows of a query: values with a blank between them, rows with a semicolon; NULL is "-". */
static inline void expect_rows(struct db *db, const char *sql, const char *want)
{
    struct buffer got = {0};
    struct db_statement *row = db_prepare(db, sql);
    assert_non_null(row);
    while (db_step(row) == DB_ROW) {
        if (got.length > 0)
            buffer_add_string(&got, "; ");
        for (int i = 0; i < db_columns(row); i++) {
            if (i > 0)
                buffer_add_byte(&got, ' ');
            buffer_add_text(&got, db_is_null(row, i) ? TEXT_LITERAL("-") : db_text(row, i));
        }
    }
    db_finalize(row);
    if (!text_is(buffer_text(&got), want))
        fail_msg("%s:\n got  %.*s\n want %s", sql, (int)got.length, got.bytes, want);
    buffer_free(&got);
}

/* Every table of two stock files, byte by byte. */
static inline void expect_same_stock(struct db *a, struct db *b)
{
    for (int i = 0; i < stock_table_count; i++) {
        struct comparison comparison;
        struct failure failure;
        if (compare_table(a, b, &stock_tables[i], &comparison, &failure) != 0)
            fail_msg("%s: %s", stock_tables[i].name, failure.message);
        if (!comparison.equal)
            fail_msg("table %s differs in row %" PRId64 " (offset %" PRId64 ")",
                     stock_tables[i].name, comparison.row, comparison.offset);
    }
}

/* What must hold in any stock file: figures are the sum of the movements, and every movement takes
 * from one place what it gives to another. */
static inline void expect_balanced(struct db *db)
{
    assert_int_equal(
        db_int_of(db,
                  "SELECT count(*) FROM stock s WHERE on_hand_milli <> (SELECT coalesce(sum(CASE "
                  "to_place WHEN 1 THEN quantity_milli ELSE -quantity_milli END), 0) FROM movement "
                  "m WHERE m.stock=s.id)",
                  -1),
        0);
    assert_int_equal(db_int_of(db,
                               "SELECT count(*) FROM movement WHERE from_place=to_place OR "
                               "quantity_milli<=0 OR (from_place<>1 AND to_place<>1)",
                               -1),
                     0);
    assert_int_equal(db_int_of(db,
                               "SELECT count(*) FROM stock s LEFT JOIN movement m ON "
                               "m.id=s.last_movement WHERE m.stock IS NOT s.id OR "
                               "m.balance_milli<>s.on_hand_milli",
                               -1),
                     0);
    assert_int_equal(db_int_of(db,
                               "SELECT count(*) FROM progress WHERE applied <> accepted + rejected "
                               "+ duplicate + conflict OR applied <> (SELECT count(*) FROM "
                               "document)",
                               -1),
                     0);
}

/* --- filling --- */

static inline struct stock *stock_temporary(void)
{
    struct stock *stock;
    struct failure failure;
    assert_int_equal(stock_open(&stock, STOCK_TEMPORARY, "", 0, &failure), 0);
    return stock;
}

/* A stock file that can be rolled back: DIRECTORY/again.db. */
static inline struct stock *stock_at_again(const struct scene *scene)
{
    struct stock *stock;
    struct failure failure;
    assert_int_equal(stock_open(&stock, STOCK_AT_PATH, scene_path(scene, "again.db"), 0, &failure),
                     0);
    return stock;
}

static inline void replay_all(const struct scene *scene, struct stock *stock)
{
    struct failure failure;
    struct journal_reader *reader = scene_reader(scene);
    if (replay(reader, stock, INT64_MAX, NULL, NULL, &failure) != 0)
        fail_msg("replay: %s", failure.message);
    journal_reader_close(reader);
}

/* --- drawing documents --- */

#define DRAWN_MAX 4000

struct drawn {
    struct dice dice;
    int count;
    char *values[DRAWN_MAX];
};

static inline void drawn_free(struct drawn *drawn)
{
    for (int i = 0; i < drawn->count; i++)
        free(drawn->values[i]);
    drawn->count = 0;
}

static inline void draw_lines(struct dice *dice, bool may_be_negative, struct buffer *value)
{
    static const char *const locations[] = {"", ",\"location\":\"yard\"", ",\"price\":\"1.9900\""};
    for (int i = 0, lines = 1 + dice_below(dice, 5); i < lines; i++) {
        buffer_add_format(value, "%s{\"sku\":\"%c\",\"qty\":\"%s%d.%03d\"%s}", i == 0 ? "" : ",",
                          'A' + dice_below(dice, 6),
                          may_be_negative && dice_below(dice, 2) ? "-" : "", dice_below(dice, 9),
                          1 + dice_below(dice, 999), locations[dice_below(dice, 3)]);
    }
}

/* A document with an id that may have been used before. */
static inline void draw_moving(struct drawn *drawn, struct buffer *value)
{
    static const char *const types[] = {"sale", "sale", "return", "receipt", "adjust", "count"};
    static const char *const checks[] = {"none", "warn", "hard"};
    struct dice *dice = &drawn->dice;
    int type = dice_below(dice, 6);
    int id = dice_below(dice, 8) == 0 ? dice_below(dice, drawn->count + 1) : drawn->count;
    buffer_add_format(value,
                      "{\"type\":\"%s\",\"id\":\"D%d\",\"terminal\":\"T%d\",\"shop\":\"S%d\","
                      "\"reason\":\"r\",\"date\":\"2026-11-22\",\"check\":\"%s\",\"lines\":[",
                      types[type], id, dice_below(dice, 3), dice_below(dice, 2),
                      checks[dice_below(dice, 3)]);
    draw_lines(dice, type == 4, value);
    buffer_add_string(value, "]}");
}

static inline void draw_dealing(struct drawn *drawn, struct buffer *value)
{
    buffer_add_format(value,
                      "{\"type\":\"%s\",\"id\":\"R%d\",\"terminal\":\"T9\",\"shop\":\"S0\","
                      "\"reason\":\"r\",\"offset\":%d}",
                      dice_below(&drawn->dice, 3) == 0 ? "drop" : "retry", drawn->count,
                      dice_below(&drawn->dice, drawn->count + 2));
}

static inline const char *draw_value(struct drawn *drawn)
{
    static const char *const bad[] = {
        "7",
        "{}",
        "[]",
        "\"sale\"",
        "{\"type\":\"sale\"}",
        ("{\"type\":\"sale\",\"id\":\"B\",\"shop\":\"S\",\"terminal\":\"T\","
         "\"lines\":[{\"sku\":\"A\",\"qty\":0}]}"),
    };
    struct buffer value = {0};
    int kind = dice_below(&drawn->dice, 20);
    assert_true(drawn->count < DRAWN_MAX);
    if (kind < 2 && drawn->count > 0) /* the same again */
        buffer_add_string(&value, drawn->values[dice_below(&drawn->dice, drawn->count)]);
    else if (kind < 3)
        buffer_add_string(&value, bad[dice_below(&drawn->dice, COUNT(bad))]);
    else if (kind < 8)
        draw_dealing(drawn, &value);
    else
        draw_moving(drawn, &value);
    buffer_add_byte(&value, '\0');
    return drawn->values[drawn->count++] = value.bytes;
}

/* Journals `count` drawn documents, in commits of a few, with a roll now and then. */
static inline void scene_put_drawn(struct scene *scene, struct drawn *drawn, int count)
{
    struct append appends[20];
    while (count > 0) {
        int some = 1 + dice_below(&drawn->dice, count < 20 ? count : 20);
        for (int i = 0; i < some; i++)
            appends[i] = append_sent("T01", drawn->count, draw_value(drawn));
        scene_append_all(scene, appends, (size_t)some);
        for (int i = 0; i < some; i++)
            assert_null(appends[i].error);
        scene->hands.wall_ms += dice_below(&drawn->dice, 1000);
        count -= some;
        if (dice_below(&drawn->dice, 40) == 0)
            scene_roll(scene);
    }
}

#endif
