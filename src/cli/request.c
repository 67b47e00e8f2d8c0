#include "cli/request.h"

void request_add_string(struct buffer *request, const char *key, const char *value)
{
    if (!value)
        return;
    buffer_add_format(request, ",\"%s\":", key);
    buffer_add_json(request, text_of(value));
}

void request_add_integer(struct buffer *request, const char *key, int64_t value)
{
    buffer_add_format(request, ",\"%s\":", key);
    buffer_add_int(request, value);
}

void request_add_hello(struct buffer *request, const char *terminal, const char *shop,
                       const char *token)
{
    buffer_add_string(request, "{\"op\":\"hello\"");
    request_add_string(request, "terminal", terminal);
    request_add_string(request, "shop", shop);
    request_add_string(request, "token", token);
    buffer_add_byte(request, '}');
}
