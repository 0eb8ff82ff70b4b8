/* SPDX-License-Identifier: MIT */
/*
 * Copies, outside the window, of what a new program is started with. The kernel reads it, and so
 * does a child of posix_spawn() that shares our memory but has no handlers any more.
 */
#ifndef USWAP_HEAP_GUARD_COPY_H
#define USWAP_HEAP_GUARD_COPY_H

#include "base/base.h"

#include <spawn.h>

struct guard_launch {
    const char *path;
    char *const *argv;
    char *const *envp;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

/*
 * Replace what lies in the window by copies, which stay until this thread calls
 * guard_copy_release() or the next guard_copy(): a child of vfork() that becomes another program
 * leaves them to its parent. -ENOMEM: nothing was replaced.
 */
int guard_copy(struct guard_launch *launch) must_check;
void guard_copy_release(void);

#endif
