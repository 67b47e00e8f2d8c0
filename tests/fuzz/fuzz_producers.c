/* producers: a state from foreign hands, then a talk with it: against a model that remembers every
 * single seq below MODELLED, and through saving and restoring, which must change no answer.
 *
 * Input: last_seq, floor (8 bytes each), a byte of length and the gaps as text; then commands. */
#include "fuzz.h"
#include "journal/producers.h"

#define NAME TEXT_LITERAL("T01")
#define MODELLED 2048

struct model {
    bool journaled[MODELLED];
    int64_t last;
};

static int keep_state(const struct producer_state *state, void *context)
{
    struct buffer *gaps = context;
    if (!text_equal(state->name, NAME))
        return 0;
    buffer_clear(gaps);
    buffer_add_int(gaps, state->last_seq);
    buffer_add_byte(gaps, ' ');
    buffer_add_int(gaps, state->floor);
    buffer_add_byte(gaps, ' ');
    buffer_add_text(gaps, state->gaps);
    buffer_add_byte(gaps, '\0');
    return 0;
}

static struct producers *fresh(void)
{
    struct producers *producers = producers_new();
    if (!producers)
        breach("no memory");
    return producers;
}

static struct producers *restored_from(const char *saved)
{
    char *end;
    struct producer_state state = {.name = NAME};
    state.last_seq = strtoll(saved, &end, 10);
    state.floor = strtoll(end, &end, 10);
    state.gaps = text_of(end + 1);
    struct producers *producers = fresh();
    if (producers_restore(producers, &state) != 0)
        breach("a state that was saved is not taken back: %s", saved);
    return producers;
}

/* Saved, restored and saved again it is the same. */
static struct producers *through_the_file(struct producers *producers, const struct model *model)
{
    struct buffer saved = {0}, again = {0};
    if (producers_save(producers, true, keep_state, &saved) != 0)
        breach("no memory%s", "");
    if (saved.length == 0) {
        buffer_free(&saved);
        return producers;
    }
    struct producers *other = restored_from(saved.bytes);
    if (producers_save(other, true, keep_state, &again) != 0 ||
        !text_equal(buffer_text(&saved), buffer_text(&again)))
        breach("saved as %s, then as %s", saved.bytes, again.bytes);
    for (int64_t seq = 0; model && seq < MODELLED; seq++) {
        int64_t offset;
        enum producer_verdict verdict = producers_check(other, NAME, seq, &offset);
        if (model->journaled[seq] && verdict == PRODUCER_NEW)
            breach("seq %lld is journaled and called new after a restart", (long long)seq);
    }
    producers_free(producers);
    buffer_free(&saved);
    buffer_free(&again);
    return other;
}

static void take(struct producers *producers, int64_t seq, int64_t at)
{
    int64_t offset;
    if (producers_check(producers, NAME, seq, &offset) != PRODUCER_NEW)
        return;
    if (producers_take(producers, NAME, seq, at) != 0)
        breach("seq %lld is new and not taken", (long long)seq);
    if (producers_check(producers, NAME, seq, &offset) == PRODUCER_NEW)
        breach("seq %lld is taken and new", (long long)seq);
}

/* Somebody else's state: either it is refused, or it can be worked with. */
static void talk_to_foreign(struct input *input)
{
    struct producer_state state = {.name = NAME};
    state.last_seq = (int64_t)input_number(input, 8);
    state.floor = (int64_t)input_number(input, 8);
    state.gaps = input_text(input, input_byte(input));
    struct producers *producers = fresh();
    if (producers_restore(producers, &state) == 0) {
        for (int64_t at = 0; !input_ends(input); at++)
            take(producers, (int64_t)(input_number(input, 8) & INT64_MAX), at);
        producers = through_the_file(producers, NULL);
    }
    producers_free(producers);
}

static void check_one(struct producers *producers, struct model *model, int64_t seq, int64_t at)
{
    int64_t offset;
    enum producer_verdict verdict = producers_check(producers, NAME, seq, &offset);
    if (model->journaled[seq] && verdict == PRODUCER_NEW)
        breach("seq %lld is journaled and called new", (long long)seq);
    if (!model->journaled[seq] && verdict == PRODUCER_DUPLICATE)
        breach("seq %lld never came and is called a duplicate", (long long)seq);
    if (!model->journaled[seq] && seq > model->last && verdict != PRODUCER_NEW)
        breach("seq %lld is the highest and not new", (long long)seq);
    if (verdict != PRODUCER_NEW)
        return;
    if (producers_take(producers, NAME, seq, at) != 0)
        breach("seq %lld is new and not taken", (long long)seq);
    model->journaled[seq] = true;
    model->last = seq > model->last ? seq : model->last;
}

static void talk_beside_a_model(struct input *input)
{
    struct model model = {.last = -1};
    struct producers *producers = fresh();
    int64_t seq = 0;
    for (int64_t at = 0; !input_ends(input); at++) {
        uint8_t command = input_byte(input);
        if (command == 255) {
            producers = through_the_file(producers, NULL);
            continue;
        }
        seq = command < 128   ? seq + 1 + command % 8
              : command < 192 ? seq - command % 64
                              : (int64_t)input_number(input, 2);
        seq = (seq % MODELLED + MODELLED) % MODELLED;
        check_one(producers, &model, seq, at);
    }
    producers_free(through_the_file(producers, &model));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, bytes + length};
    if (input_byte(&input) % 2 == 0)
        talk_to_foreign(&input);
    else
        talk_beside_a_model(&input);
    return 0;
}
