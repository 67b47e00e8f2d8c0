/* books: what terminals were promised, and what was found in the journal: the two must agree, after
 * every crash.
 *
 * A record that anybody has ever seen (in an acknowledgement, a fetch, or a look of the books' own)
 * stays where it is for ever: nothing unsynced is ever shown. */
#ifndef TILLQ_TESTS_SIM_BOOKS_H
#define TILLQ_TESTS_SIM_BOOKS_H

#include "shop.h"

#define NOTES_TOPIC "notes"
#define GUESSES 64

/* The first thing found wrong; `found` ends the run. */
struct breach {
    bool found;
    char what[400];
};
void breach_tell(struct breach *breach, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct sent {
    struct deed_document *document;
    bool promised; /* acknowledged, or named by last_seq in the answer to hello */
    bool acknowledged;
    int64_t promised_at;  /* the offset the promise named; -1 = none */
    int64_t journaled_at; /* where the books saw it; -1 = not yet */
};

/* What a terminal produced into the topic of notes, and its consumer group's offset. */
struct note {
    int64_t promised_at;  /* -1 = not */
    int64_t journaled_at; /* -1 = not seen */
};

struct account {
    struct sent *sent; /* by seq */
    int64_t sent_count;
    struct note *notes; /* by number */
    int64_t note_count;
    int64_t group_offset;           /* promised; -1 = none */
    int64_t group_guesses[GUESSES]; /* sent since, not promised: may be there or not */
    int group_guess_count;
};

struct books {
    const char *directory;
    struct breach *breach;
    struct account accounts[TERMINALS];
    struct sent_place *journal; /* of `stock`, by offset */
    int64_t journal_count;
    int64_t notes_count;
    struct shop *shop; /* has applied all of `journal` */
    bool flipped;      /* a bit of a sealed segment is wrong now: reading may fail, never lie */
};

/* `directory` must live as long. */
struct books *books_open(const char *directory, struct breach *breach);
void books_close(struct books *books);

/* The books own the document. */
struct sent *books_add(struct books *books, struct deed_document *document);
struct sent *books_sent(struct books *books, int terminal, int64_t seq);
struct note *books_add_note(struct books *books, int terminal);
/* What stands at `offset` of `stock`; NULL beyond what was read. */
const struct sent *books_at(struct books *books, int64_t offset);

/* (terminal, seq) was acknowledged at `offset` (-1: without one). */
void books_promise(struct books *books, int terminal, int64_t seq, int64_t offset);
/* Reads what is new in the journal, or `all` of it again, and checks it against the books. */
void books_read(struct books *books, bool all);
/* After damage that a start may have found: each record is where it was, or its offset is stated as
 * lost, or reading it is an error. Returns how many are stated as lost. */
int64_t books_check_loss(struct books *books);
/* After books_read of all: every promise is kept, and the groups' offsets are where they may be. */
void books_check_promises(struct books *books);

#endif
