/* json: a strict RFC 8259 reader that keeps every number and string as the bytes that came.
 *
 * Why our own: a quantity such as 0.575 must never pass through a double, and the reader sits on
 * the path of every sale. One pass over the text makes a flat array of nodes ("tape") that points
 * into the text; nothing is copied. The text must outlive the tape.
 *
 * Refused, each with its byte position (counted from 0): anything that is not RFC 8259, invalid
 * UTF-8, unpaired surrogates, U+0000 (raw or \u0000), a key twice in one object (compared after
 * unescaping), and nesting deeper than JSON_DEPTH_LIMIT. Memory: 20 bytes a node, at most one node
 * per 2 bytes of text. */
#ifndef TILLQ_BASE_JSON_H
#define TILLQ_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/text.h"

#define JSON_DEPTH_LIMIT 32
#define JSON_TEXT_LIMIT_BYTES (64u << 20)

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Nodes lie in the order of the text. An object's children alternate: key (a JSON_STRING), value.
 */
struct json_node {
    uint32_t start;  /* where its text begins; a string's begins after the quote */
    uint32_t length; /* of its text: a string's without quotes, a container's with brackets */
    uint32_t next;   /* index of the first node after this one and all it contains */
    uint32_t count;  /* members of an object, elements of an array */
    uint8_t type;    /* enum json_type */
    bool escaped;    /* string: contains a backslash */
};

struct json {
    struct text text;
    struct json_node *nodes; /* nodes[0] is the root */
    uint32_t count;
    uint32_t capacity;
};

/* Parses exactly one value, white space around it allowed. Reuses the tape's memory. 0, or -1 with
 * code "BAD_JSON" and the byte position in the message ("NO_MEMORY" where there is none). */
int json_parse(struct json *json, struct text text, struct failure *failure)
    __attribute__((warn_unused_result));
void json_free(struct json *json);
/* Gives the tape's memory back where it has grown past `keep_nodes`. */
void json_shrink(struct json *json, uint32_t keep_nodes);

/* Valid UTF-8 without NUL: can stand in a JSON string. (False for want of memory, too.) */
bool json_can_hold(struct text text);

/* Walking. A node is named by its index; 0 is the root; JSON_ABSENT is no node. */
#define JSON_ABSENT UINT32_MAX
enum json_type json_type(const struct json *json, uint32_t node); /* JSON_NULL for JSON_ABSENT */
/* The value of member `name` (compared after unescaping) or JSON_ABSENT. */
uint32_t json_member(const struct json *json, uint32_t object, const char *name);
/* for (i = json_first(j, n); i != json_end(j, n); i = json_next(j, i)): the elements of an array,
 * or keys and values in turn of an object. */
uint32_t json_first(const struct json *json, uint32_t container);
uint32_t json_end(const struct json *json, uint32_t container);
uint32_t json_next(const struct json *json, uint32_t node);

/* The text as it came: a string with its quotes, so it can be copied into other JSON. */
struct text json_raw(const struct json *json, uint32_t node);
/* A string's content. (Not json_string: libjansson exports that name, and the tests link
 * both.) Where it has no escape it points into the text, else into `scratch`, to which
 * the unescaped bytes are added (they move when scratch grows: take all you need, then look). */
struct text json_text(const struct json *json, uint32_t node, struct buffer *scratch);
bool json_string_is(const struct json *json, uint32_t node, const char *string);
/* An integer without fraction or exponent that fits 64 bits. 0 or -1. */
int json_int(const struct json *json, uint32_t node, int64_t *value);

/* Adds the canonical form: no white space, members sorted by unescaped key bytes, strings escaped
 * the one way buffer_add_json does, numbers as they came. Members of the ROOT object named in
 * `without` (NULL-terminated list, may be NULL) are left out. Two texts that differ only in white
 * space, member order or escapes give the same bytes. */
void json_canonical(const struct json *json, const char *const *without, struct buffer *out);

#endif
