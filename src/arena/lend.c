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
 * Age alone would let one that scans take all: what it holds is always younger than what others
 * keep because they use it. So a member that holds no more than a fair part is not asked by one
 * that holds more, unless it is idle; and one that holds less may ask any that holds more.
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
#define HOT_BONUS   16

/* One wait, and how many of them one need is worth. */
#define WAIT_NS    2000000
#define ROUNDS_MAX 5

/* The server goes step by step, so that what is used is touched before it leaves. */
#define CHANCE_NS 4000000

/* How often the pool is filled anew before what has not been touched meanwhile is idle. */
#define IDLE_ROUNDS 2

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

static bool lives(unsigned member)
{
    return (atomic_load_explicit(&sharing_place(member)->state, memory_order_relaxed) &
            POOL_PLACE_MASK) != POOL_FREE;
}

static uint64_t held_by(unsigned member)
{
    return ledger_held(&sharing_file->pages, member);
}

/* What each member can hold when those that hold less than the average leave the rest to others. */
static uint64_t fair_part(uint32_t count)
{
    uint64_t limit = ledger_limit(&sharing_file->pages), small = 0;
    uint64_t average = limit / max_u64(sharing_members(), 1), large = 0;

    for (unsigned member = 0; member < count; member++) {
        if (!lives(member))
            continue;
        if (held_by(member) < average && member != sharing_own())
            small += held_by(member);
        else
            large++;
    }
    return (limit - min_u64(small, limit)) / max_u64(large, 1);
}

/* Nothing has come or come back into its memory for as long as it takes to fill the pool anew,
 * IDLE_ROUNDS times. */
static bool is_idle(const struct pool_member *place)
{
    uint32_t age = atomic_load_explicit(&sharing_file->epoch, memory_order_relaxed) -
                   atomic_load_explicit(&place->tail, memory_order_relaxed);

    return age > IDLE_ROUNDS * ledger_limit(&sharing_file->pages) / AGE_STEP;
}

/* How old the objects of a member are that may be asked; 0: it may not. */
static uint32_t age_to_ask(unsigned member, uint64_t fair, uint32_t own_age)
{
    const struct pool_member *place = sharing_place(member);
    bool modest = held_by(member) <= fair, we_are_modest = held_by(sharing_own()) <= fair;
    uint32_t age = age_of(place);

    if (member == sharing_own() || !lives(member) || is_silent(place) ||
        held_by(member) <= atomic_load_explicit(&place->share, memory_order_relaxed))
        return 0;
    if (modest && !we_are_modest && !is_idle(place))
        return 0;
    if (we_are_modest && !modest)
        return age + 1;
    return age > own_age + own_age / AGE_MARGIN + 1 ? age : 0;
}

/* The member with the oldest tail of those that may be asked; POOL_MEMBERS: nobody. */
static unsigned find_oldest(void)
{
    uint32_t count = atomic_load(&sharing_file->count), oldest = 0;
    uint32_t own_age = age_of(sharing_place(sharing_own()));
    uint64_t fair = fair_part(count);
    unsigned found = POOL_MEMBERS;

    for (unsigned member = 0; member < count; member++) {
        uint32_t age = age_to_ask(member, fair, own_age);
        if (age > oldest) {
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
    if (budget_held() <= budget_fair())
        atomic_store(&sharing_file->starved, pool_file_now_ms());
    atomic_fetch_add(&sharing_file->waiters, 1);
    futex_wait_shared(&sharing_file->events, seen, WAIT_NS);
    atomic_fetch_sub(&sharing_file->waiters, 1);
    return true;
}

bool lend_must_leave_room(void)
{
    return budget_is_shared() && budget_held() > budget_fair() &&
           pool_file_now_ms() - atomic_load(&sharing_file->starved) < PATIENCE_MS;
}

/* ---- Serving ---- */

static void tell(void)
{
    atomic_fetch_add(&sharing_file->events, 1);
    if (atomic_load(&sharing_file->waiters))
        futex_wake_all_shared(&sharing_file->events);
}

static void give_a_chance(void)
{
    static _Atomic uint32_t never;

    futex_wait(&never, 0, CHANCE_NS);
}

/* Give so many pages back, or as many as are borrowed, or as can be had without waiting long. */
static void serve(uint32_t pages)
{
    uint32_t held = (uint32_t)(budget_held() >> PAGE_SHIFT);
    uint32_t goal = held > sharing_share() + pages ? held - pages : sharing_share();
    unsigned fruitless = 0;

    while (budget_held() >> PAGE_SHIFT > goal && fruitless < ROUNDS_MAX) {
        bool given;

        gate_enter();
        given = supply_lend((uint32_t)(budget_held() >> PAGE_SHIFT) - goal);
        gate_leave();
        tell();
        give_a_chance();
        fruitless = given ? 0 : fruitless + 1;
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
