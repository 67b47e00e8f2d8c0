/* request: request lines put together member by member. */
#ifndef TILLQ_CLI_REQUEST_H
#define TILLQ_CLI_REQUEST_H

#include <stdint.h>

#include "base/buffer.h"

/* `,"key":"value"`; nothing where `value` is NULL. */
void request_add_string(struct buffer *request, const char *key, const char *value);
/* `,"key":value` */
void request_add_integer(struct buffer *request, const char *key, int64_t value);
/* A whole hello line, without LF; `shop` and `token` may be NULL. */
void request_add_hello(struct buffer *request, const char *terminal, const char *shop,
                       const char *token);

#endif
