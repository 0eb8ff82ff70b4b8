/* SPDX-License-Identifier: MIT */
#include "store/inject.h"

#include "base/lock.h"

_Atomic(struct inject *) inject_plan;

void inject_set(struct inject *plan)
{
    atomic_store_explicit(&inject_plan, plan, memory_order_release);
}

static void delay(uint64_t ns)
{
    _Atomic uint32_t nobody = 0;

    if (ns)
        futex_wait(&nobody, 0, ns);
}

/* Whether this transfer is one of those to be hit; counts it. */
static bool is_hit(struct inject *plan)
{
    uint64_t number = atomic_fetch_add(&plan->seen, 1);

    return number >= plan->skip && number - plan->skip < plan->count;
}

struct inject_effect inject_look_up(struct inject *plan, bool write)
{
    struct inject_effect effect = {0, SIZE_MAX};

    if (plan->writes != write || !is_hit(plan))
        return effect;
    delay(plan->delay_ns);
    effect.error = plan->error;
    if (plan->most)
        effect.most = plan->most;
    return effect;
}
