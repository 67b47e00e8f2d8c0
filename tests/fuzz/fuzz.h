/* fuzz: what the fuzz targets share. A target is one file fuzz_NAME.c with libFuzzer's entry; its
 * corpus is corpus/NAME/, its words, where it has any, NAME.dict. A target checks properties: what
 * does not hold is said and ends the process, so that the input is kept. */
#ifndef TILLQ_TESTS_FUZZ_FUZZ_H
#define TILLQ_TESTS_FUZZ_FUZZ_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

__attribute__((noreturn, format(printf, 1, 2))) static inline void breach(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("breach: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

static inline void fuzz_quiet(void)
{
    log_set_level((enum log_level)0);
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* what the tests' supports find wrong ends us, too */
}

/* Takes the input apart; past its end everything is zero. */
struct input {
    const uint8_t *at, *end;
};

static inline bool input_ends(const struct input *input)
{
    return input->at == input->end;
}

static inline uint8_t input_byte(struct input *input)
{
    return input_ends(input) ? 0 : *input->at++;
}

static inline uint64_t input_number(struct input *input, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | input_byte(input);
    return number;
}

/* At most `length` bytes of what is left. */
static inline struct text input_text(struct input *input, size_t length)
{
    size_t left = (size_t)(input->end - input->at);
    struct text text = {(const char *)input->at, length < left ? length : left};
    input->at += text.length;
    return text;
}

static inline struct text input_rest(struct input *input)
{
    return input_text(input, SIZE_MAX);
}

#endif
