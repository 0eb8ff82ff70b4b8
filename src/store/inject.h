/* SPDX-License-Identifier: MIT */
/*
 * The injecting layer: makes transfers fail, fall short or take long, for tests. It sits where a
 * transfer is handed to the kernel, and costs one predictable branch when it is off.
 */
#ifndef USWAP_STORE_INJECT_H
#define USWAP_STORE_INJECT_H

#include "base/base.h"

#include <stdatomic.h>

/* What happens to which transfers. A resumed transfer counts again. */
struct inject {
    bool writes;       /* writes; else reads */
    uint64_t skip;     /* so many go through first */
    uint64_t count;    /* then so many are hit */
    int error;         /* 0, or the -errno that they give */
    size_t most;       /* 0, or the bytes they transfer at most; with error: only the first one */
    uint64_t delay_ns; /* how long they wait before they start */
    _Atomic uint64_t seen; /* transfers so far; starts as 0 */
};

extern _Atomic(struct inject *) inject_plan;

/* Start a plan, or end it with NULL. The memory is the caller's until it ends. */
void inject_set(struct inject *plan);

/* What inject_transfer() says about one transfer. */
struct inject_effect {
    int error;
    size_t most;
};

struct inject_effect inject_look_up(struct inject *plan, bool write);

static inline bool inject_is_on(void)
{
    return atomic_load_explicit(&inject_plan, memory_order_acquire) != NULL;
}

/* Ask before each transfer. */
static inline struct inject_effect inject_transfer(bool write)
{
    struct inject *plan = atomic_load_explicit(&inject_plan, memory_order_acquire);

    if (likely(!plan))
        return (struct inject_effect){0, SIZE_MAX};
    return inject_look_up(plan, write);
}

#endif
