/* SPDX-License-Identifier: MIT */
#include "arena/gate.h"

#include "base/base.h"
#include "base/lock.h"
#include "base/sys.h"

/* A lost wake-up costs this much at most. */
#define WAIT_BOUND_NS 10000000

#define CLOSED (UINT32_C(1) << 31)

/* CLOSED, and how many are inside. */
static _Atomic uint32_t gate;

/* The thread that closed it; 0: none. */
static _Atomic uint32_t closer;

static bool closed_by_me(void)
{
    return atomic_load(&closer) == (uint32_t)sys_call(SYS_gettid);
}

static void wait_for_opening(void)
{
    uint32_t seen = atomic_load(&gate);

    if (seen & CLOSED)
        futex_wait(&gate, seen, WAIT_BOUND_NS);
}

void gate_enter(void)
{
    while (unlikely(atomic_fetch_add(&gate, 1) & CLOSED)) {
        if (closed_by_me())
            return;
        gate_leave();
        wait_for_opening();
    }
}

void gate_leave(void)
{
    if (unlikely(atomic_fetch_sub(&gate, 1) & CLOSED))
        futex_wake_all(&gate);
}

uint32_t gate_count(void)
{
    return atomic_load_explicit(&gate, memory_order_relaxed) & ~CLOSED;
}

bool gate_alone(void)
{
    return gate_count() <= 1;
}

void gate_close(void)
{
    uint32_t seen;

    while (atomic_fetch_or(&gate, CLOSED) & CLOSED)
        wait_for_opening();
    atomic_store(&closer, (uint32_t)sys_call(SYS_gettid));
    while ((seen = atomic_load(&gate)) != CLOSED)
        futex_wait(&gate, seen, WAIT_BOUND_NS);
}

void gate_open(void)
{
    atomic_store(&closer, 0);
    atomic_fetch_and(&gate, ~CLOSED);
    futex_wake_all(&gate);
}

void gate_fork_child(void)
{
    atomic_store(&closer, (uint32_t)sys_call(SYS_gettid));
    atomic_store(&gate, CLOSED);
}
