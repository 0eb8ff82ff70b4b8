/* SPDX-License-Identifier: MIT */
/* First in, first out; who was touched meanwhile goes round once more. */
#include "lists.h"

enum { ROUND = 1 };

struct clock {
    struct lists lists;
    bool *touched;
    uint32_t capacity;
};

static void *make(struct run *run)
{
    struct clock *clock = run_memory(run, 1, sizeof(*clock));

    clock->lists = lists_make(run);
    clock->touched = run_memory(run, run->trace->limit, sizeof(*clock->touched));
    clock->capacity = run->capacity;
    return clock;
}

static void evict(struct clock *clock)
{
    uint32_t page = lists_pop(&clock->lists, ROUND);

    while (clock->touched[page]) {
        clock->touched[page] = false;
        lists_push(&clock->lists, ROUND, page);
        page = lists_pop(&clock->lists, ROUND);
    }
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct clock *clock = state;
    bool here = clock->lists.in[page];

    clock->touched[page] = here;
    if (here)
        return true;
    if (lists_count(&clock->lists, ROUND) == clock->capacity)
        evict(clock);
    lists_push(&clock->lists, ROUND, page);
    return false;
}

const struct policy policy_clock = {"CLOCK", make, touch};
