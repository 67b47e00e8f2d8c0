/* support_engine: a whole daemon without sockets and without threads: a test says lines, moves each
 * part by hand and hears what came back. */
#ifndef TILLQ_TESTS_UNIT_SUPPORT_ENGINE_H
#define TILLQ_TESTS_UNIT_SUPPORT_ENGINE_H

#include "net/session.h"
#include "support.h"

#define TILLS 3

struct till {
    struct session *session; /* NULL: hung up */
    int changed;
};

struct house {
    struct scene scene;
    struct config config;
    struct writer *writer;
    struct applier *applier;
    struct gate *gate; /* asks for no token until it is given some */
    struct engine *engine;
    int wakes;
    struct till tills[TILLS];
};

static inline void house_written(struct append *first, void *context)
{
    engine_written(first, ((struct house *)context)->engine);
}

static inline void house_applied(struct append *first, void *context)
{
    engine_applied(first, ((struct house *)context)->engine);
}

static inline void house_wake(void *context)
{
    ((struct house *)context)->wakes++;
}

static inline void till_changed(void *context)
{
    struct till *till = context;
    till->changed++;
    session_resume(till->session);
}

static inline void house_connect(struct house *house, int till)
{
    house->tills[till].session = session_new(house->engine, till_changed, &house->tills[till]);
    assert_non_null(house->tills[till].session);
}

static inline int house_open(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    struct applier_recovery recovery;
    struct failure failure;
    quiet_log();
    scene_begin(&house->scene);
    scene_open(&house->scene);
    config_defaults(&house->config);
    struct writer_options writer = {house->scene.journal, house->config.batch_records,
                                    house_written, house};
    struct applier_options applier = {.directory = house->scene.directory,
                                      .documents = house->config.apply_documents,
                                      .deliver = house_applied,
                                      .context = house};
    house->writer = writer_new(&writer);
    assert_int_equal(applier_new(&house->applier, &applier, &recovery, &failure), 0);
    house->gate = gate_new(&house->scene.clock);
    assert_non_null(house->gate);
    struct engine_options engine = {.config = &house->config,
                                    .directory = house->scene.directory,
                                    .writer = house->writer,
                                    .applier = house->applier,
                                    .gate = house->gate,
                                    .clock = &house->scene.clock,
                                    .wake = house_wake,
                                    .context = house};
    assert_int_equal(engine_new(&house->engine, &engine, &failure), 0);
    house_connect(house, 0);
    *state = house;
    return 0;
}

static inline void house_hang_up(struct house *house, int till)
{
    if (house->tills[till].session)
        session_free(house->tills[till].session);
    house->tills[till].session = NULL;
}

/* --- moving its parts --- */

static inline void write_once(struct house *house)
{
    writer_step(house->writer);
}

static inline void apply_once(struct house *house)
{
    applier_step(house->applier);
}

static inline void read_once(struct house *house)
{
    engine_read(house->engine);
}

/* What the loop does when it is woken. */
static inline void collect(struct house *house)
{
    session_answered(engine_collect(house->engine));
    engine_flush(house->engine);
}

static inline void move_everything(struct house *house)
{
    for (int i = 0; i < 4; i++) {
        write_once(house);
        apply_once(house);
        read_once(house);
        collect(house);
    }
}

/* In the order the daemon stops in; the journal stays open, and the directory. */
static inline void house_stop(struct house *house)
{
    move_everything(house); /* as the writer's thread would before it ends */
    engine_stop(house->engine);
    writer_stop(house->writer);
    for (int i = 0; i < TILLS; i++)
        house_hang_up(house, i);
    applier_stop(house->applier);
    engine_free(house->engine);
    gate_free(house->gate);
}

static inline int house_close(void **state)
{
    struct house *house = *state;
    house_stop(house);
    scene_end(&house->scene);
    free(house);
    return 0;
}

/* --- saying and hearing --- */

static inline void say_as(struct house *house, int till, const char *lines)
{
    session_receive(house->tills[till].session, text_of(lines));
    engine_flush(house->engine);
}

static inline void say(struct house *house, const char *lines)
{
    say_as(house, 0, lines);
}

static inline void hear_as(struct house *house, int till, const char *want)
{
    struct buffer *output = session_output(house->tills[till].session);
    assert_text(buffer_text(output), want);
    buffer_clear(output);
}

/* All that has come back since the last look. */
static inline void hear(struct house *house, const char *want)
{
    hear_as(house, 0, want);
}

static inline void hear_nothing(struct house *house)
{
    hear(house, "");
}

/* A sale of 1 A by terminal T. */
#define SALE(id)                      \
    "{\"type\":\"sale\",\"id\":\"" id \
    "\",\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}"
#define PUT(id) "{\"op\":\"put\",\"doc\":" SALE(id) "}\n"
#define PUT_ACK(id, ack) "{\"op\":\"put\",\"ack\":\"" ack "\",\"doc\":" SALE(id) "}\n"
#define STOCK_OF_A "{\"op\":\"stock\",\"sku\":\"A\"}\n"
#define TAKEN(offset) "{\"ok\":true,\"topic\":\"stock\",\"partition\":0,\"offset\":" offset "}\n"
#define ROW_OF_A(on_hand)                                                                   \
    "\"stock\":[{\"shop\":\"S\",\"location\":\"main\",\"sku\":\"A\",\"on_hand\":\"" on_hand \
    "\",\"reserved\":\"0\",\"available\":\"" on_hand "\"}]"
#define APPLIED(offset, on_hand, applied)                                 \
    "{\"ok\":true,\"topic\":\"stock\",\"partition\":0,\"offset\":" offset \
    ",\"outcome\":\"accepted\"," ROW_OF_A(on_hand) ",\"applied\":[" applied "]}\n"
#define FIGURES(on_hand, applied) "{\"ok\":true," ROW_OF_A(on_hand) ",\"applied\":[" applied "]}\n"
#define BAD_JSON_REPLY \
    "{\"ok\":false,\"error\":\"BAD_JSON\",\"message\":\"byte 0: a value was expected\"}\n"

#endif
