/* secret: comparing what a stranger may not learn by trying. (Wiping is glibc's explicit_bzero.) */
#ifndef TILLQ_BASE_SECRET_H
#define TILLQ_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Are they the same bytes? Takes as long wherever they differ, and as long as where they do not. */
bool secret_equal(const void *a, const void *b, size_t length);

#endif
