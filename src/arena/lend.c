/* SPDX-License-Identifier: MIT */
/*
 * When the pool is full the globally oldest objects leave, whichever process holds them.
 *
 * Each member publishes how old its tail is, the object that leaves it next (object/age.h). Who
 * needs memory compares (object/asked.h): if its own tail is the oldest it evicts as if it were
 * alone. Else it adds to what is wanted of the oldest member and wakes the thread that serves
 * there, which evicts, gives pages back to the pool and takes off what it has served.
 *
 * One that fits into its memory has no faults, and so no young tail, however much it uses what it
 * has. So a member that holds no more than all would if they held the same does not give at once.
 * It takes a sample: it masks the next objects and looks how many are touched while an eighth of
 * the pool is filled anew. If they are used as often as the pool is filled, or more often, it says
 * so to the others and gives nothing. Else what was not touched leaves; and where nothing was
 * touched at all, the next samples take less time.
 *
 * Nobody waits for long. A member from which something has been wanted for ASKED_PATIENCE_MS
 * without any progress (it is stopped, busy, takes a sample or is on a slow disk) is passed over
 * until it has served; so only the first one to ask it loses time, and no queue forms behind it.
 * Nobody is asked for more than what it holds beyond its share.
 *
 * The serving thread is started when the process first borrows: also an idle process must give way,
 * and has no other thread that runs. libc does not know of it (base/thread.h).
 *
 * Locks: none. All that is shared are words of the pool file.
 */
#include "arena/lend.h"

#include "arena/commit.h"
#include "arena/evict.h"
#include "arena/gate.h"
#include "arena/supply.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "object/age.h"
#include "object/asked.h"
#include "object/budget.h"
#include "object/pool.h"
#include "object/sharing.h"

#include <sys/prctl.h>

/* One wait, and how many of them one need is worth. */
#define WAIT_NS    2000000
#define ROUNDS_MAX 5

/* The server goes step by step, so that what is used is touched before it leaves. */
#define CHANCE_NS 4000000

/* A sample, a part of what is held within bounds, and how long it is looked at: while a part of the
 * pool is filled anew, but not for ever. */
#define SAMPLE_PART 16
#define SAMPLE_MIN  64
#define SAMPLE_MAX  EVICT_STEP_MAX
#define LOOK_PART   8
#define LOOK_NS     UINT64_C(250000000)

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

/* Whether what was asked for may still come. */
static bool is_pending(void)
{
    uint32_t asked = atomic_load(&lend.asked);

    if (!asked)
        return false;
    if (atomic_load(&sharing_place(asked - 1)->wanted) &&
        !asked_is_silent(sharing_place(asked - 1)))
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
    member = asked_find(sharing_file, sharing_own());
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
           pool_file_now_ms() - atomic_load(&sharing_file->starved) < ASKED_PATIENCE_MS;
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

static uint32_t held_pages(void)
{
    return (uint32_t)(budget_held() >> PAGE_SHIFT);
}

/* Until no more than the goal is held, or no more can be had without waiting long; or as often as
 * it takes to give that much, for one that is active takes memory again meanwhile. */
static void give(uint32_t goal, uint32_t (*step)(uint32_t pages))
{
    uint32_t rounds = held_pages() / EVICT_STEP_MAX - goal / EVICT_STEP_MAX + ROUNDS_MAX;
    unsigned fruitless = 0;

    for (; rounds && held_pages() > goal && fruitless < ROUNDS_MAX; rounds--) {
        bool given;

        gate_enter();
        given = supply_lend(held_pages() - goal, step);
        gate_leave();
        tell();
        give_a_chance();
        fruitless = given ? 0 : fruitless + 1;
    }
}

/* Mask what leaves next, if that is not masked already. Returns how many pages are. */
static uint32_t take_sample(void)
{
    uint32_t part = (uint32_t)min_u64(max_u64(held_pages() / SAMPLE_PART, SAMPLE_MIN), SAMPLE_MAX);
    uint32_t masked = (uint32_t)pool_masked_pages();

    gate_enter();
    if (masked < part)
        masked += evict_sample(part - masked);
    gate_leave();
    return masked;
}

static uint32_t epochs_since(uint32_t begin)
{
    return atomic_load(&sharing_file->epoch) - begin;
}

/* A look, for so many epochs, at a sample. */
static bool is_used(uint32_t epochs, bool *touched)
{
    uint32_t sampled = take_sample(), before = pool_touched_pages();
    uint32_t begin = atomic_load(&sharing_file->epoch);
    uint64_t end = clock_now_ns() + LOOK_NS;

    do
        give_a_chance();
    while (epochs_since(begin) < epochs && clock_now_ns() < end);
    *touched = pool_touched_pages() != before;
    return asked_in_use(sharing_file, sampled, pool_touched_pages() - before, epochs_since(begin));
}

/* What may be held still when the sample has left; the goal at least. */
static uint32_t after_sample(uint32_t goal)
{
    uint64_t held = held_pages();

    return (uint32_t)max_u64(goal, held - min_u64(held, pool_masked_pages()));
}

/* What is our fair part leaves when it is not used. */
static void give_unused(uint32_t goal)
{
    static uint32_t look = UINT32_MAX; /* epochs */
    uint32_t whole = asked_fill(sharing_file) / LOOK_PART;
    bool used = false;

    for (unsigned tries = 0; held_pages() > goal && !used && tries < ROUNDS_MAX; tries++) {
        bool touched;

        used = is_used((uint32_t)min_u64(look, whole), &touched);
        look = touched ? whole : (uint32_t)min_u64(look, whole) / 4;
        if (!used)
            give(after_sample(goal), evict_masked);
    }
    if (used)
        atomic_store(&sharing_place(sharing_own())->used, atomic_load(&sharing_file->epoch));
}

/* Whether our tail says little about what is used: there were no faults for a while. */
static bool is_quiet(void)
{
    return asked_age(sharing_file, sharing_place(sharing_own())) >
           asked_fill(sharing_file) / LOOK_PART;
}

/* Give so many pages back, or as many as are borrowed; but beyond the even part, who still wants
 * them asks again. */
static void serve(uint32_t pages)
{
    uint32_t held = held_pages(), even = asked_even_part(sharing_file);
    uint32_t goal = held > sharing_share() + pages ? held - pages : sharing_share();

    if (ledger_free(&sharing_file->pages) < 0)
        give(goal, evict_step);
    else if (held > even)
        give((uint32_t)max_u64(goal, even), evict_step);
    else if (is_quiet())
        give_unused(goal);
    else
        give(goal, evict_step);
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
    if (!budget_is_shared())
        return;
    atomic_store_explicit(&sharing_place(sharing_own())->active,
                          atomic_load_explicit(&sharing_file->epoch, memory_order_relaxed),
                          memory_order_relaxed);
    if (unlikely(!atomic_load_explicit(&lend.serving, memory_order_relaxed)) &&
        max_u64(budget_held(), budget_promised()) >> PAGE_SHIFT > sharing_share())
        start_server();
}

void lend_fork_child(void)
{
    lend.owner = sys_call(SYS_getpid);
    atomic_store(&lend.serving, false);
    atomic_store(&lend.asked, 0);
}
