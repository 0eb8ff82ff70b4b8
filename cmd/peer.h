/* SPDX-License-Identifier: MIT */
/*
 * Another process under uswap, seen from outside through its status page. The page is copied with
 * read(), not mapped: reading a hole of a mapped memory file would allocate it.
 */
#ifndef USWAP_CMD_PEER_H
#define USWAP_CMD_PEER_H

#include "observe/control.h"
#include "observe/status.h"

#include <stdbool.h>
#include <sys/types.h>

struct peer {
    pid_t pid;
    uid_t uid;
    uint64_t born; /* as /proc/PID/stat says it: tells a process from a later one with its number */
    int status_fd;
    int number; /* of the page among its own descriptors: another page after an exec */
    char command[256];
    struct status *now;    /* the last copy */
    struct status *before; /* the one before it; NULL: there is none */
    uint64_t now_ns, before_ns;
};

/*
 * Find the page of a process and copy it. -ESRCH: no such process; -EACCES: it belongs to somebody
 * else; -ENOENT: it is not under uswap; -EPROTO: its uswap is another version. Says nothing.
 */
int peer_open(pid_t pid, struct peer *peer) must_check;
void peer_close(struct peer *peer);

/* Copy the page anew; after an exec that of the new program, as if it were seen for the first time.
 * -ESRCH: the process has ended, or is not under uswap any more. */
int peer_read(struct peer *peer) must_check;

/* The same in place of the last copy, as long as there is no other. */
int peer_read_again(struct peer *peer) must_check;

/* 'R', 'S', 'T' and so on; 0: it has ended. */
char peer_state(const struct peer *peer);

/* All processes under uswap that may be read, by number. NULL and count 0: none. Free with
 * peer_close_all(). */
struct peer *peer_list(unsigned *count);

void peer_close_all(struct peer *list, unsigned count);

/* Append those that are new to a list, and take off those that have ended. */
struct peer *peer_update(struct peer *list, unsigned *count);

/* The same, with these processes instead of all. */
struct peer *peer_update_these(struct peer *list, unsigned *count, const pid_t *pids,
                               unsigned pid_count);

/* What they do together, as one that has no number: counters, times, resident and swapped. -ENOMEM.
 * Free with peer_close(). */
int peer_sum(const struct peer *list, unsigned count, struct peer *sum) must_check;

/* Explain an error of peer_open() on stderr. */
void peer_explain(const char *text, int error);

/* A process number; -1: it is none. */
pid_t peer_parse_pid(const char *text);

/* Map the control page, to ask for something; NULL: it cannot be opened. */
struct control *peer_control(const struct peer *peer);

/* What happened per second between the two copies, or since the start. */
uint64_t peer_rate(const struct peer *peer, enum stats_counter counter);

/* The rate that the process measured itself; 0 when nothing has happened lately. */
uint64_t peer_own_rate(const struct peer *peer, enum stats_counter counter);

/* The percentile of what was counted between the two copies, or since the start. */
uint64_t peer_percentile(const struct peer *peer, enum status_histogram which, double percent);
void peer_histogram(const struct peer *peer, enum status_histogram which, struct histogram *into);

/* As the last copy has it; as it is now. */
uint64_t peer_resident(const struct peer *peer);
uint64_t peer_resident_now(const struct peer *peer);
uint64_t peer_swapped(const struct peer *peer);

/* Compressed RAM: the memory that it takes, part of resident; what is in it, part of swapped. */
uint64_t peer_packed_memory(const struct peer *peer);
uint64_t peer_packed_content(const struct peer *peer);

/* The pool that its budget is shared in: a name, with the user before it if that is another one;
 * the number of the process that began the tree; "-": none. Whether two share one. */
const char *peer_pool(const struct peer *peer);
bool peer_shares(const struct peer *peer, const struct peer *other);

/* The name of the owner, or the number. */
const char *peer_user(const struct peer *peer);

#endif
