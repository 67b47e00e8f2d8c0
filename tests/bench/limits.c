/* limits: what the machine itself can do, measured beside the daemon so that its figures can be
 * told as a share of it.
 *
 *   limits sync DIRECTORY MS            append a receipt and fdatasync it, one after the other
 *   limits loopback MS                  one receipt there, one reply back, over TCP on this machine
 *   limits sqlite DIRECTORY MS ROWS     insert receipts into a bare table, ROWS in a commit
 *
 * Each runs for MS milliseconds and prints one JSON object. The receipts are the load generator's;
 * `bytes` is their mean size. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/db.h"
#include "shared/measure.h"
#include "shared/sales.h"

#define RECEIPTS 1024
#define SKUS 10000
#define MS_MOST 3600000
#define ROWS_MOST 65536
#define LOG_PAGES_MOST 4000 /* the journal's own: moved into the file between two commits */

/* A ring of receipts, made before anything is timed. */
struct ring {
    struct sales sales;
    struct buffer lines[RECEIPTS];
    struct sale receipts[RECEIPTS];
    size_t at;
    int64_t bytes; /* of all documents */
};

static struct ring *fill_ring(void)
{
    static struct ring ring;
    struct sales_options options = {.skus = SKUS, .lines_least = 1, .lines_most = SIZE_MAX};
    struct failure failure;
    if (sales_start(&ring.sales, &options, &failure) != 0)
        give_up("%s", failure.message);
    for (size_t i = 0; i < RECEIPTS; i++) {
        if (sales_next(&ring.sales, &ring.lines[i], &ring.receipts[i]) != 0)
            give_up("no memory for the receipts");
        ring.bytes += (int64_t)ring.receipts[i].document.length;
    }
    return &ring;
}

static const struct sale *next_receipt(struct ring *ring)
{
    ring->at = (ring->at + 1) % RECEIPTS;
    return &ring->receipts[ring->at];
}

static void free_ring(struct ring *ring)
{
    sales_free(&ring->sales);
    for (size_t i = 0; i < RECEIPTS; i++)
        buffer_free(&ring->lines[i]);
}

static void write_whole(int file, struct text text)
{
    while (text.length > 0) {
        ssize_t written = write(file, text.bytes, text.length);
        if (written < 0 && errno != EINTR)
            give_up("write: %s", strerror(errno));
        if (written > 0) {
            text.bytes += written;
            text.length -= (size_t)written;
        }
    }
}

static void read_line(int file)
{
    char bytes[65536];
    ssize_t got;
    do {
        got = read(file, bytes, sizeof bytes);
        if (got == 0 || (got < 0 && errno != EINTR))
            give_up("read: %s", got == 0 ? "closed" : strerror(errno));
    } while (got < 0 || bytes[got - 1] != '\n');
}

/* --- the disk --- */

struct disk {
    struct ring *ring;
    int file;
};

static void append_and_sync(void *context)
{
    struct disk *disk = context;
    write_whole(disk->file, next_receipt(disk->ring)->document);
    if (fdatasync(disk->file) != 0)
        give_up("fdatasync: %s", strerror(errno));
}

static void measure_sync(struct turns *turns, struct ring *ring, const char *directory,
                         int64_t milliseconds)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/limits.append", directory);
    struct disk disk = {ring,
                        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
    if (disk.file < 0)
        give_up("%s: %s", path, strerror(errno));
    measure_turns(turns, milliseconds, append_and_sync, &disk);
    close(disk.file);
    unlink(path);
}

/* --- the network of one machine --- */

static const char reply[] =
    "{\"ok\":true,\"topic\":\"stock\",\"partition\":0,\"offset\":123456,\"seq\":1234}\n";

static void answer_lines(int socket)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(socket, bytes, sizeof bytes)) > 0)
        if (bytes[got - 1] == '\n')
            write_whole(socket, text_of(reply));
    _exit(0);
}

static int listen_anywhere(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)address, sizeof *address) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)address, &length) != 0)
        give_up("listen: %s", strerror(errno));
    return listener;
}

static void send_at_once(int socket)
{
    int on = 1;
    if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        give_up("TCP_NODELAY: %s", strerror(errno));
}

struct link {
    struct ring *ring;
    int socket;
};

static void there_and_back(void *context)
{
    struct link *link = context;
    write_whole(link->socket, next_receipt(link->ring)->request);
    read_line(link->socket);
}

static void measure_loopback(struct turns *turns, struct ring *ring, int64_t milliseconds)
{
    struct sockaddr_in address;
    int listener = listen_anywhere(&address);
    pid_t child = fork();
    if (child < 0)
        give_up("fork: %s", strerror(errno));
    if (child == 0) {
        int accepted = accept(listener, NULL, NULL);
        close(listener);
        send_at_once(accepted);
        answer_lines(accepted);
    }
    close(listener);
    struct link link = {ring, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connect(link.socket, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("connect: %s", strerror(errno));
    send_at_once(link.socket);
    measure_turns(turns, milliseconds, there_and_back, &link);
    close(link.socket);
    waitpid(child, NULL, 0);
}

/* --- SQLite alone --- */

struct table {
    struct ring *ring;
    struct db *db;
    struct db_statement *insert;
    int64_t rows;
};

static void insert_rows(void *context)
{
    struct table *table = context;
    enum db_result result = db_begin(table->db);
    for (int64_t i = 0; i < table->rows && result == DB_DONE; i++) {
        db_bind_blob(table->insert, 1, next_receipt(table->ring)->document);
        result = db_run(table->insert);
    }
    if (result == DB_DONE)
        result = db_commit(table->db);
    if (result == DB_DONE && db_log_pages(table->db) >= LOG_PAGES_MOST)
        result = db_checkpoint(table->db);
    if (result != DB_DONE)
        give_up("a commit of the bare table failed");
}

static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[4200];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void measure_sqlite(struct turns *turns, struct ring *ring, const char *directory,
                           int64_t milliseconds, int64_t rows)
{
    char path[4096];
    struct failure failure;
    snprintf(path, sizeof path, "%s/limits.db", directory);
    remove_database(path);
    struct table table = {.ring = ring, .rows = rows};
    if (db_open(&table.db, path, &(struct db_options){.mode = DB_OWNER}, &failure) != 0)
        give_up("%s", failure.message);
    if (db_execute(table.db, "CREATE TABLE receipt(id INTEGER PRIMARY KEY, document BLOB)") !=
        DB_DONE)
        give_up("%s: no table", path);
    table.insert = db_prepare(table.db, "INSERT INTO receipt(document) VALUES(?)");
    if (!table.insert)
        give_up("%s: no insert", path);
    measure_turns(turns, milliseconds, insert_rows, &table);
    db_close(table.db);
    remove_database(path);
}

int main(int count, char **arguments)
{
    static struct turns turns;
    const char *what = count > 1 ? arguments[1] : "";
    struct ring *ring = fill_ring();
    int64_t each = 1;
    if (strcmp(what, "sync") == 0 && count == 4) {
        measure_sync(&turns, ring, arguments[2], read_number("MS", arguments[3], MS_MOST));
    } else if (strcmp(what, "loopback") == 0 && count == 3) {
        measure_loopback(&turns, ring, read_number("MS", arguments[2], MS_MOST));
    } else if (strcmp(what, "sqlite") == 0 && count == 5) {
        each = read_number("ROWS", arguments[4], ROWS_MOST);
        measure_sqlite(&turns, ring, arguments[2], read_number("MS", arguments[3], MS_MOST), each);
    } else {
        fputs("usage: limits sync DIRECTORY MS | loopback MS | sqlite DIRECTORY MS ROWS\n", stderr);
        return 2;
    }
    print_turns(&turns, each, ring->bytes / RECEIPTS);
    free_ring(ring);
    return 0;
}
