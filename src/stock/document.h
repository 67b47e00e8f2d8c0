/* document: the JSON value of a record in the topic `stock`, checked and read into a struct.
 *
 * docs/protocol.md has every key. The same reading is done twice: before a document is journaled
 * (the loop; what fails is answered BAD_DOCUMENT with the path of the field) and when it is applied
 * (the applier; what reached the journal by another way and fails is rejected). */
#ifndef TILLQ_STOCK_DOCUMENT_H
#define TILLQ_STOCK_DOCUMENT_H

#include "base/failure.h"
#include "base/json.h"

#define NAME_BYTES 64 /* ids, skus, shops, terminals, locations, operators, dates, times */
#define REASON_BYTES 256
#define LOCATION_DEFAULT "main"

enum document_type {
    DOCUMENT_UNKNOWN, /* of a type this program does not know: only the envelope is read */
    DOCUMENT_SALE,
    DOCUMENT_RETURN,
    DOCUMENT_RECEIPT,
    DOCUMENT_ADJUST,
    DOCUMENT_RETRY,
    DOCUMENT_DROP,
};

enum document_check { CHECK_NONE, CHECK_WARN, CHECK_HARD };

struct document_line {
    struct text location;
    struct text sku;
    int64_t quantity_milli; /* as written: above zero, in an adjustment not zero */
};

/* Texts point into the JSON text or into the document's own scratch. One struct is used for many
 * documents after each other; start from zeros, end with document_free. */
struct document {
    enum document_type type;
    struct text type_name;
    struct text id;
    struct text shop;
    struct text terminal;
    int64_t seq; /* -1 = none */
    enum document_check check;
    struct text date, time, operator_id, reason; /* absent where not there */
    struct document_line *lines;
    uint32_t line_count;
    int target_partition; /* of retry and drop */
    int64_t target_offset;
    /* work space */
    uint32_t line_capacity;
    struct buffer scratch;
};

/* What stands in for keys a document leaves out; absent = nothing does. */
struct document_defaults {
    struct text shop;
    struct text terminal;
};

/* Reads the document at `node`. 0, or -1 with code BAD_DOCUMENT and failure->path. After a failure
 * type_name, id, shop and terminal are what could be read, absent where nothing could. */
int document_read(struct document *document, const struct json *json, uint32_t node,
                  const struct document_defaults *defaults, struct failure *failure)
    __attribute__((warn_unused_result));
void document_free(struct document *document);

/* The content that decides between duplicate and conflict: SHA-256 over the canonical JSON without
 * `seq`, the first DOCUMENT_HASH_BYTES. `json` holds the document as its root. 0 or -1 (memory). */
#define DOCUMENT_HASH_BYTES 16
struct sha256;
int document_hash(const struct json *json, struct sha256 *sha256, struct buffer *scratch,
                  unsigned char hash[DOCUMENT_HASH_BYTES]) __attribute__((warn_unused_result));

#endif
