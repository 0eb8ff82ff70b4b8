/* SPDX-License-Identifier: MIT */
/*
 * When the pool is full the globally oldest objects leave, whichever process holds them.
 *
 * Each member publishes how old its tail is, the object that leaves it next (object/age.h). Who
 * needs memory compares: if its own tail is the oldest it evicts as if it were alone. Else it adds
 * to what is wanted of the oldest member and wakes the thread that serves there, which evicts,
 * gives pages back to the pool and takes off what it has served. Objects of the hot ring have
 * proved that they are used: they count as HOT_BONUS times younger, so that a scan in one process
 * does not push the hot set of another out, and yet an idle process gives its memory up in time.
 *
 * Nobody waits for long. A member from which something has been wanted for PATIENCE_MS without any
 * progress (it is stopped, busy or on a slow disk) is passed over until it has served; so only the
 * first one to ask it loses time, and no queue forms behind it. Nobody is asked for more than what
 * it holds beyond its share.
 *
 * The serving thread is started when the process first borrows: also an idle process must give way,
 * and has no other thread that runs. libc does not know of it (base/thread.h).
 *
 * Locks: none. All that is shared are words of the pool file.
 */
#include "arena/lend.h"

#include "arena/commit.h"
#include "arena/gate.h"
#include "arena/supply.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "object/age.h"
#include "object/budget.h"
#include "object/pool.h"
#include "object/sharing.h"

#include <sys/prctl.h>

#define PATIENCE_MS 10
#define HOT_BONUS   4

/* One wait, and how many of them one need is worth. */
#define WAIT_NS    2000000
#define ROUNDS_MAX 5

/* Nobody is asked whose tail is not older by this part and a step. */
#define AGE_MARGIN 8

/* The dead are looked for so often at most. */
#define REAP_NS 100000000

static struct {
    _Atomic uint32_t asked;    /* number of the member, and one; 0: none */
    _Atomic uint64_t reap_due; /* nanoseconds */
    _Atomic bool serving;
    long owner; /* a child of vfork() uses this memory, but must not start the thread */
} lend;

int lend_init(void)
{
    lend.owner = sys_call(SYS_getpid);
    return age_init();
}

bool lend_reap(void)
{
    uint64_t now = clock_now_ns(), due = atomic_load(&lend.reap_due);

    return budget_is_shared() && now >= due &&
           atomic_compare_exchange_strong(&lend.reap_due, &due, now + REAP_NS) && sharing_reap();
}

/* ---- Asking ---- */

static uint32_t age_of(const struct pool_member *place)
{
    uint32_t age = atomic_load_explicit(&sharing_file->epoch, memory_order_relaxed) -
                   atomic_load_explicit(&place->tail, memory_order_relaxed);

    return atomic_load_explicit(&place->tail_is_hot, memory_order_relaxed) ? age / HOT_BONUS : age;
}

/* Something has been wanted of it for too long. */
static bool is_silent(const struct pool_member *place)
{
    return atomic_load(&place->wanted) &&
           pool_file_now_ms() - atomic_load(&place->wanted_since) > PATIENCE_MS;
}

static bool can_lend(unsigned member)
{
    const struct pool_member *place = sharing_place(member);

    return member != sharing_own() &&
           (atomic_load_explicit(&place->state, memory_order_relaxed) & POOL_PLACE_MASK) !=
               POOL_FREE &&
           ledger_held(&sharing_file->pages, member) >
               atomic_load_explicit(&place->share, memory_order_relaxed);
}

/* The member with the oldest tail, if it is older than ours; POOL_MEMBERS: nobody. */
static unsigned find_oldest(void)
{
    uint32_t count = atomic_load(&sharing_file->count);
    uint32_t own = age_of(sharing_place(sharing_own()));
    uint32_t oldest = own + own / AGE_MARGIN + 1;
    unsigned found = POOL_MEMBERS;

    for (unsigned member = 0; member < count; member++) {
        uint32_t age = can_lend(member) ? age_of(sharing_place(member)) : 0;
        if (age > oldest && !is_silent(sharing_place(member))) {
            oldest = age;
            found = member;
        }
    }
    return found;
}

/* Whether what was asked for may still come. */
static bool is_pending(void)
{
    uint32_t asked = atomic_load(&lend.asked);

    if (!asked)
        return false;
    if (atomic_load(&sharing_place(asked - 1)->wanted) && !is_silent(sharing_place(asked - 1)))
        return true;
    atomic_store(&lend.asked, 0);
    return false;
}

bool lend_ask(uint32_t pages)
{
    unsigned member;

    if (!budget_is_shared())
        return false;
    if (is_pending() || lend_reap())
        return true;
    member = find_oldest();
    if (member == POOL_MEMBERS)
        return false;
    pool_file_ask(sharing_file, member, pages);
    atomic_store(&lend.asked, member + 1);
    return true;
}

bool lend_wait(uint32_t pages, unsigned *rounds)
{
    uint32_t seen;

    if (!budget_is_shared() || *rounds == ROUNDS_MAX)
        return false;
    seen = atomic_load(&sharing_file->events);
    if (!lend_ask(pages))
        return false;
    ++*rounds;
    atomic_fetch_add(&sharing_file->waiters, 1);
    futex_wait_shared(&sharing_file->events, seen, WAIT_NS);
    atomic_fetch_sub(&sharing_file->waiters, 1);
    return true;
}

/* ---- Serving ---- */

static void tell(void)
{
    atomic_fetch_add(&sharing_file->events, 1);
    if (atomic_load(&sharing_file->waiters))
        futex_wake_all_shared(&sharing_file->events);
}

/* Give so many pages back, or as many as are borrowed, or as can be had without waiting long. */
static void serve(uint32_t pages)
{
    uint32_t held = (uint32_t)(budget_held() >> PAGE_SHIFT);
    uint32_t goal = held > sharing_share() + pages ? held - pages : sharing_share();
    unsigned fruitless = 0;

    while (budget_held() >> PAGE_SHIFT > goal && fruitless < ROUNDS_MAX) {
        uint32_t seen = supply_events();
        bool given;
        gate_enter();
        given = supply_lend((uint32_t)(budget_held() >> PAGE_SHIFT) - goal);
        gate_leave();
        tell();
        if (given)
            fruitless = 0;
        else
            supply_wait(seen, WAIT_NS);
        fruitless += !given;
    }
}

static void run_server(void *unused)
{
    struct pool_member *place = sharing_place(sharing_own());

    sys_call(SYS_prctl, PR_SET_NAME, "uswap-lend");
    for (;;) {
        uint32_t wanted = atomic_load(&place->wanted);
        if (!wanted) {
            futex_wait_shared(&place->wanted, 0, 0); /* woken by pool_file_ask() */
            continue;
        }
        serve(wanted);
        commit_follow();
        pool_publish_tail();
        atomic_store(&place->wanted_since, pool_file_now_ms());
        atomic_fetch_sub(&place->wanted, wanted);
    }
}

/* Without it this process is passed over, and what it has borrowed stays its own. */
static void start_server(void)
{
    if (sys_call(SYS_getpid) != lend.owner || atomic_exchange(&lend.serving, true))
        return;
    if (thread_start(run_server, NULL))
        return;
}

void lend_follow(void)
{
    if (budget_is_shared() &&
        unlikely(!atomic_load_explicit(&lend.serving, memory_order_relaxed)) &&
        max_u64(budget_held(), budget_promised()) >> PAGE_SHIFT > sharing_share())
        start_server();
}

void lend_fork_child(void)
{
    lend.owner = sys_call(SYS_getpid);
    atomic_store(&lend.serving, false);
    atomic_store(&lend.asked, 0);
}
