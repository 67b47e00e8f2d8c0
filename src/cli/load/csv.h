/* csv: one line of comma-separated fields (RFC 4180, but no line feeds inside quotes). */
#ifndef TILLQ_CLI_LOAD_CSV_H
#define TILLQ_CLI_LOAD_CSV_H

#include "base/text.h"

/* Cuts `line` (a C string without its line end) into `count` fields, unquoting in place. NULL, or
 * what is wrong in words: "has too few fields". */
const char *csv_split(char *line, struct text *fields, int count);

#endif
