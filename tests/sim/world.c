#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/disk.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/incident.h"
#include "daemon.h"
#include "net/session.h"
#include "stock/audit.h"
#include "terminal.h"

#define DIRECTORY "/data/shop"
#define START_ATTEMPTS 30
#define DRAIN_ROUNDS 4000

enum event {
    EVENT_ASK,
    EVENT_SEND,
    EVENT_RECEIVE,
    EVENT_WRITE,
    EVENT_APPLY,
    EVENT_READ,
    EVENT_COLLECT,
    EVENT_CONNECT,
    EVENT_HANG_UP,
    EVENT_TIME,
    EVENT_JUMP,
    EVENT_ARM,
    EVENT_CRASH,
    EVENT_RESTART,
    EVENT_FULL,
    EVENT_ROOM,
    EVENT_FLIP,
    EVENT_AUDIT,
    EVENT_COUNT,
};

/* How often each comes, in parts of their sum; the second column says what a run may leave out or
 * make four times as frequent, so that runs differ in more than their dice. */
static const struct {
    const char *name;
    int weight;
    bool varies;
} events[EVENT_COUNT] = {
    [EVENT_ASK] = {"ask", 2000, false},        [EVENT_SEND] = {"send", 1600, false},
    [EVENT_RECEIVE] = {"receive", 1600, true}, [EVENT_WRITE] = {"write", 1200, true},
    [EVENT_APPLY] = {"apply", 600, true},      [EVENT_READ] = {"read", 600, true},
    [EVENT_COLLECT] = {"collect", 1400, true}, [EVENT_CONNECT] = {"connect", 400, false},
    [EVENT_HANG_UP] = {"hang up", 60, true},   [EVENT_TIME] = {"time", 200, false},
    [EVENT_JUMP] = {"jump", 30, true},         [EVENT_ARM] = {"arm", 40, true},
    [EVENT_CRASH] = {"crash", 8, true},        [EVENT_RESTART] = {"restart", 8, true},
    [EVENT_FULL] = {"full", 12, true},         [EVENT_ROOM] = {"room", 40, false},
    [EVENT_FLIP] = {"flip", 8, true},          [EVENT_AUDIT] = {"audit", 4, true},
};

struct world {
    const struct run *run;
    struct run_result *result;
    struct sim_clock hands;
    struct daemon daemon;
    struct books *books;
    struct terminal_weather weather;
    struct terminal *terminals[TERMINALS];
    int terminal_count;
    int weights[EVENT_COUNT];
    bool faults_allowed[FAULT_COUNT];
    enum fault struck; /* last */
    int64_t at;        /* the event now */
};

static struct breach *breach_of(struct world *world)
{
    return &world->result->breach;
}

static void trace(const struct world *world, const char *what)
{
    if (world->run->trace)
        fprintf(stderr, "%" PRId64 " %s\n", world->at, what);
}

/* --- checking --- */

static void check_sound(struct world *world)
{
    struct audit audit;
    struct failure failure;
    if (world->weather.disk_failed) /* what a disk left half done is mended by the next start */
        return;
    struct sim_fault fault = sim_disk_hold();
    if (audit_directory(DIRECTORY, NULL, NULL, &audit, &failure) != 0)
        breach_tell(breach_of(world), "audit: %s", failure.message);
    else if (!audit.sound)
        breach_tell(breach_of(world), "audit: %s", audit.fault);
    sim_disk_arm(fault);
}

static void check_everything(struct world *world)
{
    struct sim_fault fault = sim_disk_hold();
    books_read(world->books, true);
    if (!breach_of(world)->found)
        books_check_promises(world->books);
    sim_disk_arm(fault);
}

/* --- starting and ending --- */

static void hang_up_all(struct world *world)
{
    for (int i = 0; i < world->terminal_count; i++)
        terminal_hang_up(world->terminals[i]);
}

static void note_struck(struct world *world)
{
    enum fault struck = sim_disk_struck();
    if (struck == FAULT_NONE)
        return;
    trace(world, fault_names[struck]);
    world->struck = struck;
    world->result->faults[struck]++;
    world->weather.disk_failed = true;
}

/* What comes back after the process is gone: all files, or what the platter kept. */
static void restart_disk(struct world *world, bool power, struct chance *chance)
{
    world->result->crashes++;
    sim_disk_restart(power, (enum aftermath)chance_below(chance, AFTERMATH_COUNT), chance);
}

/* Starts until it starts: the power may go again meanwhile, faults are mended after a failed try.
 */
static void start(struct world *world, struct chance *chance)
{
    struct failure failure = {0};
    for (int i = 0; i < START_ATTEMPTS; i++) {
        if (chance_in(chance, 3) && world->faults_allowed[FAULT_POWER])
            sim_disk_arm((struct sim_fault){FAULT_POWER, chance_below(chance, 60)});
        world->weather.disk_failed = false;
        int result = daemon_start(&world->daemon, DIRECTORY, &failure);
        bool dead = sim_disk_is_dead();
        note_struck(world);
        if (result == 0 && !dead)
            return;
        if (result == 0)
            daemon_stop(&world->daemon);
        if (dead)
            restart_disk(world, true, chance);
        else if (world->weather.disk_failed || world->weather.disk_full) {
            sim_disk_arm((struct sim_fault){FAULT_NONE, 0});
            sim_disk_set_capacity(INT64_MAX);
            world->weather.disk_full = false;
        } else {
            break;
        }
    }
    breach_tell(breach_of(world), "it does not start: %s", failure.message);
}

static void start_and_check(struct world *world, struct chance *chance)
{
    start(world, chance);
    world->struck = FAULT_NONE;
    if (breach_of(world)->found)
        return;
    check_everything(world);
    for (int i = 0; i < TERMINALS; i++)
        world->books->accounts[i].group_guess_count = 0;
    if (!breach_of(world)->found && chance_in(chance, 6))
        check_sound(world);
}

/* The process ends, in order or not, and begins again. */
static void begin_again(struct world *world, bool power, struct chance *chance)
{
    hang_up_all(world);
    bool crashed = sim_disk_is_dead();
    daemon_stop(&world->daemon);
    note_struck(world);
    crashed = crashed || sim_disk_is_dead();
    if (crashed)
        restart_disk(world, power, chance);
    else
        world->result->restarts++;
    start_and_check(world, chance);
}

/* --- misfortunes --- */

static void arm(struct world *world, struct chance *chance)
{
    enum fault kind = (enum fault)chance_between(chance, 1, FAULT_COUNT - 1);
    int64_t reach = kind == FAULT_READ ? 400 : chance_in(chance, 2) ? 12 : 120;
    int64_t after = chance_below(chance, reach);
    if (world->faults_allowed[kind])
        sim_disk_arm((struct sim_fault){kind, after});
}

static void fill_up(struct world *world, struct chance *chance)
{
    sim_disk_set_capacity(sim_disk_used() + chance_below(chance, 200000));
    world->weather.disk_full = true;
    world->result->full++;
}

/* Sealed segments never change: whatever bit is wrong in one, the audit says so, and no reader
 * hands out anything else than what was journaled. */
static void flip(struct world *world, struct chance *chance)
{
    char path[128];
    int64_t active = journal_active_segment(world->daemon.journal);
    if (active <= 0)
        return;
    int64_t number = chance_below(chance, active);
    snprintf(path, sizeof path, DIRECTORY "/journal/%010" PRId64 ".db", number);
    struct disk_status status;
    int64_t bytes = sim_disk_file_bytes(path);
    if (bytes <= 0 || disk_status(path, &status) != 0 || !status.read_only)
        return;
    int64_t at = chance_below(chance, bytes);
    int bit = (int)chance_below(chance, 8);
    struct sim_fault fault = sim_disk_hold();
    struct audit audit;
    struct failure failure;
    sim_disk_flip(path, at, bit);
    world->books->flipped = true;
    if (audit_directory(DIRECTORY, NULL, NULL, &audit, &failure) == 0 && audit.sound)
        breach_tell(breach_of(world), "bit %d of byte %" PRId64 " of %s is wrong: found sound", bit,
                    at, path);
    books_read(world->books, true);
    world->books->flipped = false;
    sim_disk_flip(path, at, bit);
    sim_disk_arm(fault);
    world->result->flips++;
}

static void pass_time(struct world *world, int64_t us)
{
    world->hands.monotonic_us += us;
    world->hands.wall_ms += us / 1000;
}

/* --- events --- */

static enum event choose(const struct world *world, struct chance *chance)
{
    int64_t sum = 0;
    for (int i = 0; i < EVENT_COUNT; i++)
        sum += world->weights[i];
    int64_t die = chance_below(chance, sum);
    int event = 0;
    while (die >= world->weights[event])
        die -= world->weights[event++];
    return (enum event)event;
}

static void happen(struct world *world, enum event event, struct chance *chance)
{
    struct terminal *terminal = world->terminals[chance_below(chance, world->terminal_count)];
    switch (event) {
    case EVENT_ASK:
        terminal_ask(terminal, chance);
        break;
    case EVENT_SEND:
        terminal_send_some(terminal, chance);
        break;
    case EVENT_RECEIVE:
        terminal_receive_some(terminal, chance);
        break;
    case EVENT_WRITE:
        daemon_write(&world->daemon);
        break;
    case EVENT_APPLY:
        daemon_apply(&world->daemon);
        break;
    case EVENT_READ:
        daemon_read(&world->daemon);
        break;
    case EVENT_COLLECT:
        daemon_collect(&world->daemon);
        break;
    case EVENT_CONNECT:
        if (!terminal_is_connected(terminal))
            terminal_connect(terminal, world->daemon.engine);
        break;
    case EVENT_HANG_UP:
        terminal_hang_up(terminal);
        break;
    case EVENT_TIME:
        pass_time(world, chance_below(chance, 1000000));
        break;
    case EVENT_JUMP:
        world->hands.wall_ms += chance_between(chance, -7200000, 7200000);
        break;
    case EVENT_ARM:
        arm(world, chance);
        break;
    case EVENT_CRASH:
        sim_disk_die();
        break;
    case EVENT_RESTART:
        begin_again(world, false, chance);
        break;
    case EVENT_FULL:
        fill_up(world, chance);
        break;
    case EVENT_ROOM:
        sim_disk_set_capacity(INT64_MAX);
        break;
    case EVENT_FLIP:
        flip(world, chance);
        break;
    case EVENT_AUDIT:
        check_sound(world);
        break;
    case EVENT_COUNT:
        break;
    }
}

static void digest(struct world *world, enum event event)
{
    uint64_t *digest = &world->result->digest;
    *digest = (*digest ^ (uint64_t)event) * 0x100000001b3u;
    *digest = (*digest ^ (uint64_t)sim_disk_operations()) * 0x100000001b3u;
    *digest = (*digest ^ (uint64_t)world->books->journal_count) * 0x100000001b3u;
}

static void step(struct world *world)
{
    struct chance chance = chance_of(world->run->seed, (uint64_t)world->at);
    enum event event = choose(world, &chance);
    trace(world, events[event].name);
    happen(world, event, &chance);
    digest(world, event);
    note_struck(world);
    if (breach_of(world)->found)
        return;
    if (sim_disk_is_dead()) /* a kill leaves what is not synced in the machine's memory */
        begin_again(world,
                    world->struck == FAULT_POWER ||
                        (world->struck != FAULT_KILL && chance_in(&chance, 2)),
                    &chance);
    else if (world->weather.disk_failed && chance_in(&chance, 150))
        begin_again(world, false, &chance); /* somebody looks after it */
}

/* --- a whole run --- */

static void set_up(struct world *world)
{
    struct chance chance = chance_of(world->run->seed, UINT64_MAX - 1);
    static const int64_t segment_bytes[] = {48 << 10, 128 << 10, 512 << 10, INT64_C(1) << 30};
    static const int64_t reserve_bytes[] = {0, 64 << 10, 256 << 10};
    static const int64_t batch_records[] = {1, 3, 64, 4096};
    static const int64_t apply_documents[] = {1, 5, 1000};
    static const int times[] = {0, 1, 1, 1, 4};
    sim_disk_clear(world->run->seed, &world->hands);
    hash_set_key(world->run->seed, ~world->run->seed);
    sqlite3_randomness(0, NULL);
    world->hands = (struct sim_clock){1795341303000, 1000000};
    daemon_init(&world->daemon, &world->hands);
    world->daemon.config.segment_bytes = segment_bytes[chance_below(&chance, 4)];
    world->daemon.config.batch_records = batch_records[chance_below(&chance, 4)];
    world->daemon.config.reserve_bytes = reserve_bytes[chance_below(&chance, 3)];
    world->daemon.config.apply_documents = apply_documents[chance_below(&chance, 3)];
    for (int i = 0; i < EVENT_COUNT; i++) {
        int times_now = times[chance_below(&chance, 5)];
        bool needed = events[i].weight > 100;
        if (events[i].varies)
            world->weights[i] = events[i].weight * (needed && times_now == 0 ? 1 : times_now);
        else
            world->weights[i] = events[i].weight;
    }
    for (int i = 0; i < FAULT_COUNT; i++)
        world->faults_allowed[i] = !chance_in(&chance, 3);
    world->books = books_open(DIRECTORY, breach_of(world));
    world->terminal_count = (int)chance_between(&chance, 1, TERMINALS);
    for (int i = 0; i < world->terminal_count; i++) {
        struct terminal_options options = {.number = i,
                                           .skips = chance_in(&chance, 3),
                                           .trusts_last_seq = chance_in(&chance, 2),
                                           .books = world->books,
                                           .weather = &world->weather};
        world->terminals[i] = terminal_new(&options);
    }
}

static void tear_down(struct world *world)
{
    hang_up_all(world);
    if (world->daemon.journal)
        daemon_stop(&world->daemon);
    for (int i = 0; i < world->terminal_count; i++) {
        world->result->promises += terminal_promises(world->terminals[i]);
        terminal_free(world->terminals[i]);
    }
    world->result->records = world->books->journal_count;
    books_close(world->books);
    sim_disk_close();
}

static bool move_everything(struct world *world)
{
    bool moved = false;
    for (int i = 0; i < world->terminal_count; i++)
        moved = terminal_move_all(world->terminals[i]) || moved;
    moved = daemon_write(&world->daemon) || moved;
    moved = daemon_apply(&world->daemon) || moved;
    daemon_read(&world->daemon);
    daemon_collect(&world->daemon);
    return moved;
}

/* No more faults: all that was asked is answered, all that is journaled is applied. */
static void drain(struct world *world)
{
    struct chance chance = chance_of(world->run->seed, UINT64_MAX - 2);
    sim_disk_arm((struct sim_fault){FAULT_NONE, 0});
    sim_disk_set_capacity(INT64_MAX);
    world->faults_allowed[FAULT_POWER] = false;
    if (world->weather.disk_failed)
        begin_again(world, false, &chance);
    int quiet = 0;
    for (int i = 0; i < DRAIN_ROUNDS && quiet < 8 && !breach_of(world)->found; i++) {
        quiet = move_everything(world) ? 0 : quiet + 1;
        if (quiet > 2)
            pass_time(world, 3000000);
    }
    struct applier_figures figures;
    applier_figures(world->daemon.applier, &figures);
    check_everything(world);
    for (int i = 0; i < world->terminal_count; i++)
        terminal_check_quiet(world->terminals[i]);
    if (figures.applied != world->books->journal_count)
        breach_tell(breach_of(world), "applied %" PRId64 " of %" PRId64 " documents",
                    figures.applied, world->books->journal_count);
    check_sound(world);
}

static void ignore(void *context)
{
    (void)context;
}

/* After all that, a sale is taken, or refused for want of room. */
static void sell_once(struct world *world)
{
    static const char sale[] = "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"last\","
                               "\"shop\":\"S\",\"terminal\":\"TX\",\"seq\":0,"
                               "\"lines\":[{\"sku\":\"apple\",\"qty\":1}]}}\n";
    struct session *session = session_new(world->daemon.engine, ignore, NULL);
    session_receive(session, text_of(sale));
    engine_flush(world->daemon.engine);
    for (int i = 0; i < 4; i++) {
        daemon_write(&world->daemon);
        daemon_apply(&world->daemon);
        daemon_collect(&world->daemon);
        session_resume(session);
    }
    struct text reply = buffer_text(session_output(session));
    if (reply.length < 10 || memcmp(reply.bytes, "{\"ok\":true", 10) != 0)
        breach_tell(breach_of(world), "no sale is taken after damage: %.*s", (int)reply.length,
                    reply.bytes ? reply.bytes : "");
    session_free(session);
}

/* The last thing that happens: a bit of the newest segment or its log turns while nothing runs.
 * What cannot be had any more is stated, offset by offset. */
static void damage(struct world *world)
{
    struct chance chance = chance_of(world->run->seed, UINT64_MAX - 4);
    struct failure failure;
    char path[128];
    int64_t active = journal_active_segment(world->daemon.journal);
    bool killed = chance_in(&chance, 2); /* then there is a log */
    hang_up_all(world);
    if (killed)
        sim_disk_die();
    daemon_stop(&world->daemon);
    if (killed)
        sim_disk_restart(false, AFTERMATH_KEPT, &chance);
    snprintf(path, sizeof path, DIRECTORY "/journal/%010" PRId64 ".db%s", active,
             killed && chance_in(&chance, 2) ? "-wal" : "");
    int64_t bytes = sim_disk_file_bytes(path);
    if (bytes <= 0 ||
        !sim_disk_flip(path, chance_below(&chance, bytes), (int)chance_below(&chance, 8)))
        return;
    world->result->damages++;
    if (daemon_start(&world->daemon, DIRECTORY, &failure) != 0) {
        breach_tell(breach_of(world), "it does not start with a bit turned in %s: %s", path,
                    failure.message);
        return;
    }
    world->result->lost += books_check_loss(world->books);
    if (!breach_of(world)->found)
        sell_once(world);
}

static bool is_skipped(const struct run *run, int64_t event)
{
    for (int i = 0; i < run->skip_count; i++)
        if (event >= run->skips[i].first && event <= run->skips[i].last)
            return true;
    return false;
}

void world_run(const struct run *run, struct run_result *result)
{
    struct world world = {.run = run, .result = result};
    *result = (struct run_result){.breach_at = -1};
    set_up(&world);
    struct chance chance = chance_of(run->seed, UINT64_MAX - 3);
    struct failure failure;
    if (folder_make(DIRECTORY, &failure) == 0)
        start_and_check(&world, &chance);
    for (world.at = 0; world.at < run->events && !result->breach.found; world.at++) {
        if (is_skipped(run, world.at))
            continue;
        step(&world);
        result->operations++;
    }
    result->breach_at = world.at - 1;
    if (!result->breach.found)
        drain(&world);
    if (!result->breach.found)
        damage(&world);
    tear_down(&world);
}
