/* SPDX-License-Identifier: MIT */
/*
 * This process as a member of a pool file: its place there, the places of the children it forks,
 * and what is known of the others. At most one pool in a process, from start to end.
 *
 * Any thread with signals blocked and any fault handler may call these, once joined.
 */
#ifndef USWAP_OBJECT_SHARING_H
#define USWAP_OBJECT_SHARING_H

#include "object/pool_file.h"

/* What this process has joined; NULL: nothing. */
extern struct pool_file *sharing_file;

/* Join the pool in the file that fd is; its own fd is opened again. Its private share is held
 * already. -EAGAIN: POOL_MEMBERS are there. Once, at start. */
int sharing_join(int fd, struct pool_file *file) must_check;
void sharing_leave(void);

/* Our number, and our place. */
unsigned sharing_own(void);
struct pool_member *sharing_place(unsigned member);

/* Pages that are ours whatever the others need, and how many members there are. */
uint32_t sharing_share(void);
unsigned sharing_members(void);

/* Give back what dead members held; returns whether there were any. With a system call for each
 * member, so not more often than now and then. */
bool sharing_reap(void);

/* For those who are not members: the same for any file. */
bool sharing_reap_file(struct pool_file *file, int fd);

/* Change the size of a pool, ours or any (then fd is its file), and have everybody give back what
 * is too much. -EBUSY: they do not get on with that for so many milliseconds; it is as large as
 * before. */
int sharing_resize(struct pool_file *file, int fd, uint64_t ram, unsigned ms) must_check;

/*
 * fork, one at a time. prepare: a place for the child, which holds its share. -EAGAIN: there is
 * none. child, parent: after the fork, also after one that failed.
 */
int sharing_fork_prepare(unsigned *child) must_check;
void sharing_fork_parent(void);
void sharing_fork_child(void);

#endif
