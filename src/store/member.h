/* SPDX-License-Identifier: MIT */
/*
 * The family: the process that opened the stores and all that forked from it. Each is a member,
 * with a number of its own as long as it lives, and a count of what it has promised its program.
 * A member that has ended, in whatever way, is known to be dead; what it held is given back by
 * those who live (slot.h).
 *
 * Any thread with signals blocked and any fault handler may call these.
 */
#ifndef USWAP_STORE_MEMBER_H
#define USWAP_STORE_MEMBER_H

#include "base/base.h"

#define MEMBERS_MAX 1024

/* Found the family, and be its first member. */
int member_start(void) must_check;

/* End the family in this process. */
void member_stop(void);

/* This process; and one more than the highest number that was ever given. */
unsigned member_own(void);
unsigned member_count(void);

/*
 * fork, one at a time in a process. prepare: a number for the child, which counts as a living
 * member from now on and has promised what this process has. -EAGAIN: MEMBERS_MAX are there
 * already. child, parent: after the fork, also after one that failed, when *child is to be
 * forgotten.
 */
int member_fork_prepare(unsigned *child) must_check;
void member_fork_parent(void);
void member_fork_child(void);

/* Whether a number is given to a process that has ended. With a lock that everybody holds who calls
 * member_forget(). */
bool member_is_dead(unsigned member);

/* Whether a number is given to anybody. */
bool member_exists(unsigned member);

/* The number is free again; nothing is left of what it stood for. */
void member_forget(unsigned member);

/* A name for this process that no other member has or had: 30 bits, not 0. And whether the one with
 * this name lives. */
uint32_t member_token(void);
bool member_token_lives(uint32_t token);

/* Bytes: change what this process has promised; what it has, and what all have. */
void member_promise(int64_t bytes);
uint64_t member_promised(void);
uint64_t member_promised_by_all(void);

#endif
