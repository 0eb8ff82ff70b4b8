/* SPDX-License-Identifier: MIT */
/*
 * Each thread remembers its last faults that belonged to nothing, and the few strides it followed
 * last. Three faults at one distance make a stride; distances are in bytes, so that a row of 4.5
 * pages is one, and random faults are none. A fault where a stride goes on doubles its distance;
 * what was in memory already is passed. Other faults in between, or other strides, do not matter
 * while they are few.
 */
#include "arena/stride.h"

#include <stdbool.h>
#include <stddef.h>

#define STRIDES 4
#define SINGLES (2 * STRIDES) /* the two before the third of each stride */

/* Below that it is a stream; above, page tables that are read for it are worth more than pages. */
#define STEP_LEAST ((int64_t)PAGE_SIZE + 1)
#define STEP_MOST  (512 * (int64_t)PAGE_SIZE)

struct known {
    int64_t step;   /* 0: there is none */
    uintptr_t next; /* where it goes on */
    uint32_t ahead; /* pages that the last fault was to bring in */
    uint32_t came;  /* that it did */
    uint32_t used;  /* when that was */
};

static __thread struct known strides[STRIDES], *last;
static __thread uintptr_t singles[SINGLES];
static __thread uint32_t now, noted;

static const struct stride alone = {0, 1, 0};

static struct known *oldest(void)
{
    struct known *best = &strides[0];

    for (int i = 1; i < STRIDES; i++) {
        if (now - strides[i].used > now - best->used)
            best = &strides[i];
    }
    return best;
}

/* The stride that goes on here; as many places as it went ahead may have been passed. */
static struct known *find(uintptr_t address)
{
    for (int i = 0; i < STRIDES; i++) {
        int64_t distance = (int64_t)(address - strides[i].next), step = strides[i].step;
        if (step && distance % step == 0 && distance / step >= 0 &&
            distance / step <= strides[i].ahead)
            return &strides[i];
    }
    return NULL;
}

static bool is_single(uintptr_t address)
{
    for (int i = 0; i < SINGLES; i++)
        if (singles[i] == address)
            return true;
    return false;
}

static bool is_step(int64_t step)
{
    int64_t length = step < 0 ? -step : step;

    return length >= STEP_LEAST && length <= STEP_MOST;
}

/* The distance to a fault behind which, as far away, there is another; 0: there are no such two. */
static int64_t find_step(uintptr_t address)
{
    for (int i = 0; i < SINGLES; i++) {
        int64_t step = (int64_t)(address - singles[i]);
        if (singles[i] && is_step(step) && is_single(singles[i] - (uintptr_t)step))
            return step;
    }
    return 0;
}

static struct stride follow(struct known *stride, uintptr_t address, uint32_t limit)
{
    uint64_t most = min_u64(limit, STRIDE_AHEAD_MAX);
    struct stride result = {stride->step, 1, stride->came};

    result.count = (uint32_t)max_u64(min_u64(2 * (uint64_t)stride->ahead, most), 1);
    *stride =
        (struct known){stride->step, address + (uintptr_t)stride->step, result.count, 1, ++now};
    last = stride;
    return result;
}

struct stride stride_next(uintptr_t address, uint32_t limit)
{
    struct known *stride = find(address);

    last = NULL;
    return stride ? follow(stride, address, limit) : alone;
}

struct stride stride_begin(uintptr_t address, uint32_t limit)
{
    int64_t step = find_step(address);
    struct known *stride = oldest();

    singles[noted++ % SINGLES] = address;
    if (!step)
        return alone;
    *stride = (struct known){.step = step, .ahead = 1};
    return follow(stride, address, limit);
}

void stride_extend(uintptr_t address, uintptr_t last_page, uint32_t came)
{
    int64_t distance;

    if (!last || last->next != address + (uintptr_t)last->step)
        return;
    /* To the far end of the last page, as the thread goes. */
    distance = (int64_t)(last_page - address) + (last->step > 0 ? (int64_t)PAGE_SIZE - 1 : 0);
    last->next = address + (uintptr_t)(last->step * (distance / last->step + 1));
    last->came = came;
}
