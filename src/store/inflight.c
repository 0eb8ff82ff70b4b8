/* SPDX-License-Identifier: MIT */
#include "store/inflight.h"

#include "base/lock.h"

void inflight_end(struct inflight *inflight)
{
    /* The last one tells the thread that waits in inflight_hold(). */
    if (atomic_fetch_sub(&inflight->word, 1) == (INFLIGHT_HELD | 1))
        futex_wake_all(&inflight->word);
}

void inflight_begin(struct inflight *inflight)
{
    while (unlikely(atomic_fetch_add(&inflight->word, 1) & INFLIGHT_HELD)) {
        inflight_end(inflight);
        for (uint32_t seen; (seen = atomic_load(&inflight->word)) & INFLIGHT_HELD;)
            futex_wait(&inflight->word, seen, 0);
    }
}

void inflight_begin_within(struct inflight *inflight)
{
    atomic_fetch_add(&inflight->word, 1);
}

void inflight_hold(struct inflight *inflight)
{
    uint32_t seen = atomic_fetch_or(&inflight->word, INFLIGHT_HELD) | INFLIGHT_HELD;

    for (; seen != INFLIGHT_HELD; seen = atomic_load(&inflight->word))
        futex_wait(&inflight->word, seen, 0);
}

void inflight_release(struct inflight *inflight)
{
    atomic_fetch_and(&inflight->word, ~INFLIGHT_HELD);
    futex_wake_all(&inflight->word);
}

bool inflight_is_held(struct inflight *inflight)
{
    return atomic_load(&inflight->word) & INFLIGHT_HELD;
}

void inflight_reset(struct inflight *inflight)
{
    atomic_store(&inflight->word, 0);
}
