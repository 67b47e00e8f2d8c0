/* client: the till's end of the terminal protocol, blocking, one connection a client.
 *
 * Sends lines and receives lines; what stands in them is docs/protocol.md. Needs nothing but libc.
 * A client belongs to one thread at a time; different clients do not know of each other.
 *
 *   struct tillq_client *till;
 *   const char *reply;
 *   if (tillq_client_open(&till, TILLQ_CLIENT_DEFAULT_ADDRESS, 2000) == TILLQ_CLIENT_OK &&
 *       tillq_client_hello(till, "T01", NULL, token, &reply, 2000) == TILLQ_CLIENT_OK)
 *       puts(reply);
 *   else
 *       fprintf(stderr, "%s\n", tillq_client_message(till));
 *   tillq_client_close(till);
 *
 * Pipelining: send several lines, then receive as many replies; they come in the order sent. A send
 * that finds the daemon busy takes in the replies that come meanwhile, so a till that sends much
 * and receives late cannot lock up with the daemon; it pays with memory for the replies.
 *
 * Time-outs are for the whole call, in milliseconds: 0 takes only what needs no waiting, a negative
 * one waits for ever. Looking up a host name is not bounded by it; numeric addresses need none.
 *
 * After any failure but TILLQ_CLIENT_BAD_LINE and a time-out of receive the connection is of no
 * more use: replies that had come can still be received, all else fails. Close, open anew, say
 * hello, and send what is above `last_seq`. */
#ifndef TILLQ_CLIENT_H
#define TILLQ_CLIENT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TILLQ_CLIENT_DEFAULT_ADDRESS "127.0.0.1:7077"
/* The longest reply line taken. */
#define TILLQ_CLIENT_REPLY_MAX_BYTES (64u << 20)

struct tillq_client;

enum tillq_client_result {
    TILLQ_CLIENT_OK,
    TILLQ_CLIENT_BAD_ADDRESS, /* not HOST:PORT, [V6]:PORT or unix:/PATH, or no such host */
    TILLQ_CLIENT_UNREACHABLE, /* nobody listens there */
    TILLQ_CLIENT_TIMEOUT,
    TILLQ_CLIENT_CLOSED,   /* the daemon closed the connection, or an earlier call failed */
    TILLQ_CLIENT_FAILED,   /* the network failed; or a reply is longer than can be taken */
    TILLQ_CLIENT_BAD_LINE, /* a line to send contains LF; nothing was sent */
    TILLQ_CLIENT_NO_MEMORY,
};

/* Connects to `address`: HOST:PORT, [V6]:PORT or unix:/PATH; of several addresses of one host the
 * first that answers. `*client` is set where this fails too, so that tillq_client_message can tell
 * why (NULL only for want of memory): close it in any case. */
enum tillq_client_result tillq_client_open(struct tillq_client **client, const char *address,
                                           int timeout_ms);

/* Sends `length` bytes as one line; LF is added. The bytes stay the caller's. */
enum tillq_client_result tillq_client_send(struct tillq_client *client, const char *line,
                                           size_t length, int timeout_ms);

/* The next reply line, without LF, followed by a NUL; `length` may be NULL. It is the client's and
 * stays until the next call. After a time-out the reply is still owed: receive again. */
enum tillq_client_result tillq_client_receive(struct tillq_client *client, const char **line,
                                              size_t *length, int timeout_ms);

/* Sends one line, a C string, and receives the next reply. Not while other replies are owed. */
enum tillq_client_result tillq_client_ask(struct tillq_client *client, const char *line,
                                          const char **reply, int timeout_ms);

/* Says hello as `terminal`, with its shop and its token where they are not NULL, and receives the
 * reply, which is to be looked at: "ok":false with AUTH_FAILED is a reply as well. All three are
 * UTF-8. What is copied of the token is wiped when it is sent; the caller's own copy is the
 * caller's: it comes out of a file only the till's program can read, never from a command line.
 * Not while other replies are owed. */
enum tillq_client_result tillq_client_hello(struct tillq_client *client, const char *terminal,
                                            const char *shop, const char *token, const char **reply,
                                            int timeout_ms);

/* Why the last call failed, one line; "" where none did. Stays until the next call. NULL is fine.
 */
const char *tillq_client_message(const struct tillq_client *client);

/* Closes and frees. What was sent and not answered may or may not be journaled. NULL is fine. */
void tillq_client_close(struct tillq_client *client);

#ifdef __cplusplus
}
#endif

#endif
