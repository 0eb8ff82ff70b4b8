/* SPDX-License-Identifier: MIT */
/*
 * fork. Before it the gate is closed and all writes are done, so that every object is in a stable
 * state; the child has the same pages (shared copy-on-write) and the same slots, each with one more
 * reference. The child re-creates the page mask before anything touches the window. Pages that are
 * still shared cannot be moved; the mask copies them instead.
 */
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/gate.h"
#include "arena/region.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/sigblock.h"
#include "mask/mask.h"
#include "object/frame.h"
#include "object/pool.h"
#include "observe/stats.h"

/* Blocked from prepare to the end, in the thread that forks. */
static sigblock_mask forker_mask;

static void share_slots(object_t first, void *context)
{
    object_t at = first;
    uint32_t count;

    (void)context;
    for (; (count = object_live_run(&at, first + CHUNK_PAGES)); at += count)
        store_add_references(&objects.slots[at], count);
}

static void unshare_slots(object_t first, void *context)
{
    object_t at = first;
    uint32_t count;

    (void)context;
    for (; (count = object_live_run(&at, first + CHUNK_PAGES)); at += count)
        store_drop_references(&objects.slots[at], count);
}

int arena_fork_prepare(void)
{
    sigblock_mask mask = sigblock_enter();
    int error = commit_fork_prepare();

    if (error) {
        sigblock_leave(mask);
        return error;
    }
    gate_close();
    store_fork_prepare();
    region_each_chunk(share_slots, NULL);
    forker_mask = mask;
    return 0;
}

static void reopen(void)
{
    sigblock_mask mask = forker_mask;

    gate_open();
    sigblock_leave(mask);
}

void arena_fork_parent(void)
{
    store_fork_parent();
    reopen();
}

void arena_fork_failed(void)
{
    store_fork_parent();
    region_each_chunk(unshare_slots, NULL);
    commit_fork_failed();
    reopen();
}

void arena_fork_child(void)
{
    int error = mask_fork_child();

    if (error) {
        char name[8];
        msg_error("a forked process cannot go on without userfaultfd (%s)", fmt_errno(error, name));
        sys_call(SYS_exit_group, 127);
    }
    store_fork_child();
    pool_fork_child();
    frame_fork_child();
    region_fork_child();
    stats_reset();
    gate_fork_child();
    sigblock_leave(forker_mask);
}
