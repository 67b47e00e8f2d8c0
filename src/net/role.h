/* role: what a terminal may do beside sending its own documents. */
#ifndef TILLQ_NET_ROLE_H
#define TILLQ_NET_ROLE_H

enum role {
    ROLE_TERMINAL,   /* sends its own documents only */
    ROLE_MANAGEMENT, /* sends documents in other terminals' names, too */
};

#endif
