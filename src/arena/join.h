/* SPDX-License-Identifier: MIT */
/*
 * Which pool of processes this one belongs to.
 *
 * A named pool is a file in /dev/shm: NAME is one of the own user's, UID/NAME another user's. The
 * pool of a tree of processes has no name: it is a memory file that the processes hand down, each
 * with a descriptor that stays open over exec, which USWAP_POOL says as
 *
 *     @FFFFF:IIIIIIIIIIIIIIII:PPPPPPPPPP    descriptor, id of the pool (hexadecimal), founder
 *
 * At start and in the command only.
 */
#ifndef USWAP_ARENA_JOIN_H
#define USWAP_ARENA_JOIN_H

#include "base/base.h"

/* Of a name, as the command takes it; what is said here as a text; and the path of a pool. */
#define JOIN_NAME_MAX 64
#define JOIN_TEXT_MAX 80
#define JOIN_PREFIX   "uswap-pool-"

bool join_name_is_good(const char *text);

/* Join what the text says; NULL: nothing. *ram becomes the budget of the pool. -errno, after a
 * message. */
int join_pool(const char *text, uint64_t *ram) must_check;
void join_leave(void);

/* Open a named pool's file, to look at; or in its door (base/door.h). path has room for
 * JOIN_TEXT_MAX. -errno, after a message. */
int join_open(const char *text, char *path) must_check;
int join_enter(const char *text, char *path) must_check;

/* Make a pool for the tree of processes that starts here; text (JOIN_TEXT_MAX) is what says so. */
int join_found_tree(uint64_t ram, uint64_t share, char *text) must_check;

/* Whether this pool is that of a tree which another process has started. */
bool join_is_inherited(const char *pool) must_check;

#endif
