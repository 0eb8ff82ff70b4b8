/* SPDX-License-Identifier: MIT */
/*
 * Who is alive is asked from the kernel, not guessed from process numbers, which mean nothing in
 * another pid namespace, are used again, and stay the same over an exec.
 *
 * Each of the processes that share something has a lock on one byte of a memory file, whose offset
 * is the number it has among them. The lock belongs to an open file description that this process
 * alone has, and goes with it, whether it dies or executes another program. A parent opens one for
 * its child and locks the byte before the fork, so the lock is there before the child is.
 *
 * What is mapped of the file holds the description, too, that it was mapped by, also in a child: a
 * child maps it anew, or a parent that dies would live on in its children.
 *
 * When a description cannot be opened (in a chroot without /proc, or without a free descriptor) the
 * child locks the byte itself, with a lock of the process, and so do all that fork from it, for
 * such a lock is gone when any descriptor of the file is closed.
 *
 * Any thread with signals blocked and any fault handler may call these, one at a time for a file.
 */
#ifndef USWAP_BASE_ALIVE_H
#define USWAP_BASE_ALIVE_H

#include "base/base.h"

struct alive {
    int fd;        /* a description that this process alone has */
    bool fragile;  /* the lock would go when another descriptor of the file is closed */
    char path[48]; /* not on a stack, which may lie in the window */
};

/* The file; fd is from fd_move_high(). */
void alive_init(struct alive *alive, int fd);

/* A description of its own for another process, close-on-exec, not at a low number, where another
 * thread may expect what it opens. -1: not possible. */
int alive_open_again(const struct alive *alive) must_check;

/* Lock the byte for whoever has the description fd; false: somebody has it, or others would not see
 * the lock. */
bool alive_lock(const struct alive *alive, int fd, unsigned number) must_check;
void alive_unlock(int fd, unsigned number);

/* Lock the byte for this process, without a description of its own. */
bool alive_lock_as_process(struct alive *alive, unsigned number) must_check;

/* In the child: the description that was opened for it takes the place of the parent's. */
void alive_become(const struct alive *alive, int child_fd);

/* In the child, after that: what the parent had mapped there of the file, for reading and writing,
 * from this offset on, is held by the child's own description. */
int alive_map_again(const struct alive *alive, void *address, size_t size,
                    uint64_t offset) must_check;

/* Whether anybody but this process itself holds the lock on the byte. */
bool alive_is_held(const struct alive *alive, unsigned number);

#endif
