/* hash: SipHash-1-3 and nothing else. The source itself is taken in, because its key is its own. */
#include "base/hash.c"

#include "support.h"

static uint64_t drawn[2]; /* the key as it was before main */

/* With a key of zeros, as Python's bytes hash under PYTHONHASHSEED=0 uses it. */
static void known_texts_give_known_hashes(void **state)
{
    static const struct {
        struct text text;
        uint64_t hash;
    } known[] = {
        {TEXT_LITERAL(""), 0xd1fba762150c532c},
        {TEXT_LITERAL("\0"), 0x68a914128e01e473},
        {TEXT_LITERAL("siphash"), 0x8264ceeccb16bcbe},
        {TEXT_LITERAL("digest-sip_hash"), 0xce31007e34130c0a},
    };
    (void)state;
    key[0] = key[1] = 0;
    for (size_t i = 0; i < COUNT(known); i++)
        if (hash_text(known[i].text) != known[i].hash)
            fail_msg("%zu: got %016" PRIx64 ", want %016" PRIx64, i, hash_text(known[i].text),
                     known[i].hash);
}

static void every_bit_and_the_length_count(void **state)
{
    (void)state;
    char bytes[40] = {0};
    for (size_t length = 0; length <= sizeof bytes; length++) {
        uint64_t hash = hash_text((struct text){bytes, length});
        if (length < sizeof bytes)
            assert_int_not_equal(hash, hash_text((struct text){bytes, length + 1}));
        for (size_t bit = 0; bit < 8 * length; bit++) {
            bytes[bit / 8] = (char)(1 << bit % 8);
            assert_int_not_equal(hash, hash_text((struct text){bytes, length}));
            bytes[bit / 8] = 0;
        }
    }
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    key[0] = 1;
    uint64_t hash = hash_text(TEXT_LITERAL("6901234567892"));
    key[0] = 2;
    assert_int_not_equal(hash, hash_text(TEXT_LITERAL("6901234567892")));
    key[0] = 1;
    key[1] ^= 1;
    assert_int_not_equal(hash, hash_text(TEXT_LITERAL("6901234567892")));
}

static void the_key_is_drawn_before_main(void **state)
{
    (void)state;
    assert_true(drawn[0] != 0x736f6d6570736575u && drawn[1] != 0x646f72616e646f6du);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_drawn_before_main),
        cmocka_unit_test(known_texts_give_known_hashes),
        cmocka_unit_test(every_bit_and_the_length_count),
        cmocka_unit_test(another_key_gives_another_hash),
    };
    memcpy(drawn, key, sizeof drawn);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
