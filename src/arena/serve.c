/* SPDX-License-Identifier: MIT */
/*
 * Locks: none of its own. One request is served at a time: who takes its kind off the page serves
 * it. The thread enters the engine as the public API does; it may evict and wait for writes, which
 * the swap thread, who ends them, must not.
 */
#include "arena/serve.h"

#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/inside.h"
#include "arena/region.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/msg.h"
#include "base/sys.h"
#include "base/thread.h"
#include "object/budget.h"
#include "store/store.h"

#include <errno.h>
#include <sys/prctl.h>

static long owner;
static atomic_bool impossible; /* to start a thread */

/* ---- What is asked for ---- */

static void copy_shared(void)
{
    struct status_second *second = &status_page.second;

    budget_publish();

    atomic_store_explicit(&second->committed, commit_total(), memory_order_relaxed);
    atomic_store_explicit(&second->store_capacity, store_capacity(), memory_order_relaxed);
    atomic_store_explicit(&second->store_used, store_used(), memory_order_relaxed);
}

static int refresh(void)
{
    copy_shared();
    region_list();
    return 0;
}

static int serve_kind(uint32_t kind, uint64_t argument)
{
    switch (kind) {
    case CONTROL_BUDGET:
        return arena_set_budget(argument);
    case CONTROL_REFRESH:
        return refresh();
    default:
        return -ENOSYS;
    }
}

/* Inside the engine. */
static void serve_request(void)
{
    uint32_t kind = atomic_exchange(&control_page.kind, CONTROL_NONE);
    uint32_t asked = atomic_load(&control_page.asked);

    if (kind == CONTROL_NONE)
        return;
    atomic_store(&control_page.begun, asked);
    atomic_store(&control_page.result, serve_kind(kind, atomic_load(&control_page.argument)));
    atomic_store(&control_page.answered, asked);
    futex_wake_all_shared(&control_page.answered);
}

/* ---- The thread ---- */

static void run_thread(void *argument)
{
    struct inside inside;

    (void)argument;
    sys_call(SYS_prctl, PR_SET_NAME, "uswapc");
    /* It needs our descriptors only, but can live with the program's table. */
    if (fd_leave_program())
        msg_debug("the control thread shares the program's descriptors");
    for (;;) {
        futex_wait_shared(&control_page.kind, CONTROL_NONE, 0);
        inside = inside_enter();
        serve_request();
        inside_leave(inside);
    }
}

static void start_thread(void)
{
    if (sys_call(SYS_getpid) != owner || atomic_exchange(&status_page.control_thread, 1))
        return;
    if (thread_start(run_thread, NULL)) {
        atomic_store(&impossible, true);
        atomic_store(&status_page.control_thread, 0);
    }
}

void serve_slowly(uint64_t now)
{
    if (status_second_due(now)) {
        status_take_rates(now);
        copy_shared();
    }
    if (atomic_load(&status_page.control_thread))
        return;
    if (budget_resident() > BUDGET_MINIMUM && !atomic_load(&impossible))
        start_thread();
    else if (control_pending())
        serve_request();
}

void serve_start(void)
{
    owner = sys_call(SYS_getpid);
    control_start();
    copy_shared();
}
