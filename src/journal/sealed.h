/* sealed: the look every start takes at the segments before the active one: all there, each as it
 * was sealed (inspect.h). What is wrong with one is named, with its offsets, and nothing is done
 * about it: it is never written, and a copy put in its place is as good as it was. */
#ifndef TILLQ_JOURNAL_SEALED_H
#define TILLQ_JOURNAL_SEALED_H

#include "journal/journal_internal.h"

/* Fills journal->damage. `lowest`: number of the first segment there is. How many are damaged. */
int sealed_look(struct journal *journal, int64_t lowest);

#endif
