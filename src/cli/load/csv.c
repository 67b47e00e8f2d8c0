#include "cli/load/csv.h"

/* One field from `at` on; `*at` becomes the next one's place, or NULL after the last. */
static bool next_field(char **at, struct text *field)
{
    char *from = *at;
    if (*from != '"') {
        char *comma = strchr(from, ',');
        *field = (struct text){from, comma ? (size_t)(comma - from) : strlen(from)};
        *at = comma ? comma + 1 : NULL;
        return true;
    }
    char *to = from;
    char *read = from + 1;
    while (*read != '\0' && (*read != '"' || read[1] == '"')) {
        read += *read == '"';
        *to++ = *read++;
    }
    if (*read != '"' || (read[1] != ',' && read[1] != '\0'))
        return false;
    *field = (struct text){from, (size_t)(to - from)};
    *at = read[1] == ',' ? read + 2 : NULL;
    return true;
}

const char *csv_split(char *line, struct text *fields, int count)
{
    char *at = line;
    for (int i = 0; i < count; i++) {
        if (!at)
            return "has too few fields";
        if (!next_field(&at, &fields[i]))
            return "is quoted wrongly";
    }
    return at ? "has too many fields" : NULL;
}
