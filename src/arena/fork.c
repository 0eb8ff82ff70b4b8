/* SPDX-License-Identifier: MIT */
/*
 * fork. Before it the gate is closed and all writes are done, so that every object is in a stable
 * state; the child has the same pages (shared copy-on-write) and holds the same slots. The child
 * re-creates the page mask before anything touches the window. Pages that are still shared cannot
 * be moved; the mask copies them instead.
 */
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/gate.h"
#include "arena/inherit.h"
#include "arena/lend.h"
#include "arena/prefetch.h"
#include "arena/region.h"
#include "arena/serve.h"
#include "arena/share.h"
#include "arena/sigstack.h"
#include "base/clock.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/sigblock.h"
#include "mask/mask.h"
#include "object/budget.h"
#include "object/frame.h"
#include "object/pool.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <errno.h>
#include <pthread.h>

/* Blocked from prepare to the end, in the thread that forks. */
static sigblock_mask forker_mask;
static uint64_t prepared_ns;

int arena_fork_prepare(void)
{
    sigblock_mask mask = sigblock_enter();
    int error;

    share_fork_prepare();
    gate_close();
    error = commit_fork_prepare();
    if (error) {
        gate_open();
        share_fork_parent();
        sigblock_leave(mask);
        return error;
    }
    prefetch_drop_all();
    prepared_ns = clock_now_ns();
    store_fork_prepare();
    status_fork_prepare();
    forker_mask = mask;
    return 0;
}

static void reopen(void)
{
    sigblock_mask mask = forker_mask;

    gate_open();
    share_fork_parent();
    sigblock_leave(mask);
}

void arena_fork_parent(void)
{
    store_fork_parent();
    budget_fork_parent();
    trace_fork(prepared_ns);
    reopen();
}

void arena_fork_failed(void)
{
    store_fork_parent();
    store_fork_dismiss();
    budget_fork_parent();
    reopen();
}

void arena_fork_child(void)
{
    int error;

    gate_fork_child();
    status_fork_child();
    trace_fork_child();
    error = mask_fork_child();
    if (!error)
        error = share_fork_child();
    if (error) {
        char name[8];
        msg_error("a forked process cannot go on: its memory cannot be covered (%s)",
                  fmt_errno(error, name));
        sys_call(SYS_exit_group, 127);
    }
    sigstack_fork_child();
    object_fork_child();
    store_fork_child();
    budget_fork_child();
    lend_fork_child();
    pool_fork_child();
    frame_fork_child();
    region_fork_child();
    serve_start();
    inherit_fork_child();
    gate_open();
    sigblock_leave(forker_mask);
}

/* ---- Without the heap, whose fork() does all this and more ---- */

static int refused, errno_before;

static void before_fork(void)
{
    errno_before = errno;
    refused = arena_fork_prepare();
    errno = 0;
}

static void in_parent(void)
{
    int error = errno;

    if (!refused && error)
        arena_fork_failed();
    else if (!refused)
        arena_fork_parent();
    errno = error ? error : errno_before;
}

static void in_child(void)
{
    char name[8];

    if (refused) {
        msg_error("a forked process would need as much memory as this one again (%s)",
                  fmt_errno(refused, name));
        sys_call(SYS_exit_group, 127);
    }
    arena_fork_child();
    errno = errno_before;
}

int arena_fork_register(void)
{
    return -pthread_atfork(before_fork, in_parent, in_child);
}
