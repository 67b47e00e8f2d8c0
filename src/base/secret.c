#include "base/secret.h"

bool secret_equal(const void *a, const void *b, size_t length)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    volatile unsigned char difference = 0; /* volatile: no compiler may see that it could stop */
    for (size_t i = 0; i < length; i++)
        difference = (unsigned char)(difference | (left[i] ^ right[i]));
    return difference == 0;
}
