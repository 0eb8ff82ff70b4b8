/* SPDX-License-Identifier: MIT */
/* Names of things in shared memory that belong to users: NAME is one of our own, UID/NAME another
 * user's. */
#ifndef USWAP_BASE_OWNED_H
#define USWAP_BASE_OWNED_H

#include "base/base.h"

/* Where their files lie. */
#define OWNED_FOLDER "/dev/shm/"

/* Of the name alone. */
#define OWNED_NAME_MAX 40

/* The name in NAME or UID/NAME, and the user, who is this one when none is said; "": neither. */
const char *owned_split(const char *text, uint64_t *user);

/* Letters, digits, dots, underscores and hyphens; no dot first. */
bool owned_name_is_good(const char *name);

/* Whether the file is the user's: one that another user has put there under the name is not what
 * was named. -EPERM: it is another's. */
int owned_check(int fd, uint64_t user) must_check;

#endif
