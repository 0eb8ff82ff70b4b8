/* SPDX-License-Identifier: MIT */
/*
 * ARC (Megiddo and Modha, 2003): pages seen once and pages seen again, each an LRU list with a
 * memory of what left it. The part of the first follows what is missed of either.
 */
#include "base/base.h"
#include "lists.h"

enum { ONCE = 1, AGAIN, ONCE_GONE, AGAIN_GONE };

struct arc {
    struct lists lists;
    uint32_t capacity;
    double target; /* for ONCE */
};

static void *make(struct run *run)
{
    struct arc *arc = run_memory(run, 1, sizeof(*arc));

    arc->lists = lists_make(run);
    arc->capacity = run->capacity;
    return arc;
}

static uint32_t count(const struct arc *arc, unsigned list)
{
    return lists_count(&arc->lists, list);
}

/* One leaves memory and is remembered. */
static void replace(struct arc *arc, bool for_again_gone)
{
    uint32_t once = count(arc, ONCE);
    bool over = once > arc->target || (for_again_gone && once == arc->target);

    if (once && (over || !count(arc, AGAIN)))
        lists_push(&arc->lists, ONCE_GONE, lists_pop(&arc->lists, ONCE));
    else
        lists_push(&arc->lists, AGAIN_GONE, lists_pop(&arc->lists, AGAIN));
}

static void learn(struct arc *arc, unsigned list)
{
    double once = count(arc, ONCE_GONE), again = count(arc, AGAIN_GONE);

    if (list == ONCE_GONE)
        arc->target += once >= again ? 1 : again / once;
    else
        arc->target -= again >= once ? 1 : once / again;
    if (arc->target < 0)
        arc->target = 0;
    if (arc->target > arc->capacity)
        arc->target = arc->capacity;
}

/* Room for a page that is not remembered. */
static void make_room(struct arc *arc)
{
    uint32_t once = count(arc, ONCE) + count(arc, ONCE_GONE);
    uint32_t all = once + count(arc, AGAIN) + count(arc, AGAIN_GONE);

    if (once == arc->capacity && !count(arc, ONCE_GONE)) {
        lists_pop(&arc->lists, ONCE);
        return;
    }
    if (once == arc->capacity)
        lists_pop(&arc->lists, ONCE_GONE);
    else if (all == 2 * arc->capacity)
        lists_pop(&arc->lists, AGAIN_GONE);
    if (all >= arc->capacity)
        replace(arc, false);
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct arc *arc = state;
    unsigned list = arc->lists.in[page];

    if (list == LIST_NONE) {
        make_room(arc);
    } else if (list >= ONCE_GONE) {
        learn(arc, list);
        replace(arc, list == AGAIN_GONE);
    }
    lists_push(&arc->lists, list == LIST_NONE ? ONCE : AGAIN, page);
    return list == ONCE || list == AGAIN;
}

const struct policy policy_arc = {"ARC", make, touch};
