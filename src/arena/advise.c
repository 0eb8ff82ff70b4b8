/* SPDX-License-Identifier: MIT */
#include "arena/advise.h"

#include "arena/evict.h"
#include "arena/fault.h"
#include "arena/region.h"
#include "arena/supply.h"

#include <errno.h>

int advise_will_need(object_t first, uint32_t count)
{
    uint64_t end = (uint64_t)first + count;
    int error = 0;

    for (uint64_t at = object_of(first); at < end; at += object_pages((object_t)at)) {
        if (supply_free_pages() < 2 * (uint64_t)object_pages((object_t)at) + supply_ahead_limit())
            break;
        error = fault_resolve((object_t)max_u64(at, first));
        if (error && error != -EFAULT) /* an unmapped page is nothing to bring in */
            return error;
    }
    return 0;
}

/* Claim resident objects that nobody has pinned, up to the most that can be masked together. */
static unsigned claim_resident(uint64_t *at, uint64_t end, object_t *claimed)
{
    unsigned count = 0;

    for (; *at < end && count < EVICT_STEP_MAX; *at += object_pages((object_t)*at)) {
        object_t object = (object_t)*at;
        uint64_t word = object_load(object);
        if (object_state_of(word) == OBJECT_RESIDENT && !object_pins_of(word) &&
            object_claim(object, word))
            claimed[count++] = object;
    }
    return count;
}

void advise_cold(object_t first, uint32_t count)
{
    uint64_t at = first & ~(object_pages(first) - 1), end = (uint64_t)first + count;

    while (at < end) {
        object_t claimed[EVICT_STEP_MAX];
        unsigned got = claim_resident(&at, end, claimed);
        if (got)
            evict_mask(claimed, got);
    }
}
