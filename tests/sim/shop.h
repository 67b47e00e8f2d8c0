/* shop: the documents terminals send, and what they must do to the stock: a second, simple model of
 * it that shares no code with the product.
 *
 * A document is told from its terminal's number and seq; its text is what is sent and must be found
 * in the journal byte for byte. */
#ifndef TILLQ_TESTS_SIM_SHOP_H
#define TILLQ_TESTS_SIM_SHOP_H

#include "chance.h"

#define TERMINALS 6
#define SKUS 5
#define LINES 4

enum deed { DEED_SALE, DEED_RETURN, DEED_RECEIPT, DEED_ADJUST };
enum checked { CHECKED_NONE, CHECKED_WARN, CHECKED_HARD };

struct sale_line {
    int sku;
    int64_t quantity_milli;
};

struct deed_document {
    int terminal;
    int64_t seq;
    int64_t id; /* within its terminal */
    enum deed deed;
    enum checked checked;
    int line_count;
    struct sale_line lines[LINES];
    char *text;
};

/* The terminal's next document: mostly new, now and then with the id of `earlier` (NULL: none),
 * with its content or with another. */
struct deed_document *shop_write_document(struct chance *chance, int terminal, int64_t seq,
                                          const struct deed_document *earlier);
void shop_free_document(struct deed_document *document);
const char *shop_terminal_name(int terminal);
const char *shop_sku_name(int sku);

struct shop;

struct shop *shop_open(void);
void shop_close(struct shop *shop);
/* The document journaled at the next offset: decides it. */
void shop_apply(struct shop *shop, const struct deed_document *document);
int64_t shop_applied(const struct shop *shop); /* documents so far: the next offset */
/* "accepted", …: of the document at `offset`, which was applied. */
const char *shop_outcome(const struct shop *shop, int64_t offset);
/* On hand after all documents below `offset`. *known: the sku was ever moved. */
int64_t shop_on_hand_milli(const struct shop *shop, int sku, int64_t offset, bool *known);
int64_t shop_outcome_count(const struct shop *shop, const char *outcome, int64_t below);

#endif
