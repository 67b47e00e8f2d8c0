/* bugs: the planted bugs by name (base/planted.h); a build without them has none. */
#ifndef TILLQ_TESTS_SIM_BUGS_H
#define TILLQ_TESTS_SIM_BUGS_H

#include <stdio.h>

/* One a line: name, seeds within which it must be found, what it is. */
void bugs_list(FILE *out);
int bugs_choose(const char *name); /* 0, or -1 where there is no such bug in this build */
const char *bugs_name(void);       /* of the one chosen; NULL = none */

#endif
