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

struct inject_effect inject_look_up(struct inject *plan, bool write)
{
    struct inject_effect effect = {0, SIZE_MAX};
    uint64_t hit;

    if (plan->writes != write)
        return effect;
    hit = atomic_fetch_add(&plan->seen, 1) - plan->skip;
    if (hit >= plan->count)
        return effect;
    delay(plan->delay_ns);
    if (plan->most && (hit == 0 || !plan->error))
        effect.most = plan->most;
    else
        effect.error = plan->error;
    return effect;
}
