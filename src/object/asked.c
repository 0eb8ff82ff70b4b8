/* SPDX-License-Identifier: MIT */
/*
 * The globally oldest objects leave. Objects of the hot ring have proved that they are used: they
 * count as HOT_BONUS times younger, so that a scan in one process does not push the hot set of
 * another out, and yet an idle process gives its memory up in time.
 *
 * Age alone would let one that scans take all: what it holds is always younger than what others
 * keep because they use it. So a member that holds no more than all would if they held the same is
 * not asked by one that holds more, unless it is idle; what it has lost already says nothing about
 * what it needs. And one that holds less than a fair part may ask any that holds more than that.
 */
#include "object/asked.h"

#include "object/age.h"

#define HOT_BONUS 16

/* How often the pool is filled anew before what has not been touched meanwhile is idle. */
#define IDLE_ROUNDS 2

/* Nobody is asked whose tail is not older by this part and a step. */
#define AGE_MARGIN 8

uint32_t asked_fill(const struct pool_file *file)
{
    return (uint32_t)max_u64(ledger_limit(&file->pages) / AGE_STEP, 1);
}

uint32_t asked_age(const struct pool_file *file, const struct pool_member *member)
{
    uint32_t epoch = atomic_load_explicit(&file->epoch, memory_order_relaxed);
    uint32_t tail = epoch - atomic_load_explicit(&member->tail, memory_order_relaxed);
    uint32_t used = epoch - atomic_load_explicit(&member->used, memory_order_relaxed);

    return (uint32_t)min_u64(tail, used);
}

static uint32_t weighed_age(const struct pool_file *file, const struct pool_member *member)
{
    uint32_t age = asked_age(file, member);

    return atomic_load_explicit(&member->tail_is_hot, memory_order_relaxed) ? age / HOT_BONUS : age;
}

bool asked_is_silent(const struct pool_member *member)
{
    return atomic_load(&member->wanted) &&
           pool_file_now_ms() - atomic_load(&member->wanted_since) > ASKED_PATIENCE_MS;
}

static bool lives(const struct pool_member *member)
{
    return (atomic_load_explicit(&member->state, memory_order_relaxed) & POOL_PLACE_MASK) !=
           POOL_FREE;
}

uint32_t asked_even_part(const struct pool_file *file)
{
    uint32_t count = atomic_load(&file->count);
    uint64_t living = 0;

    for (unsigned i = 0; i < count; i++)
        living += lives(&file->members[i]);
    return (uint32_t)(ledger_limit(&file->pages) / max_u64(living, 1));
}

/* What each member can hold when those that hold less than the average leave the rest to others. */
static uint64_t fair_part(const struct pool_file *file, uint32_t count, unsigned own)
{
    uint64_t limit = ledger_limit(&file->pages), even = asked_even_part(file);
    uint64_t small = 0, large = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t held = ledger_held(&file->pages, i);
        if (!lives(&file->members[i]))
            continue;
        if (held < even && i != own)
            small += held;
        else
            large++;
    }
    return (limit - min_u64(small, limit)) / max_u64(large, 1);
}

bool asked_is_modest(const struct pool_file *file, unsigned member)
{
    return ledger_held(&file->pages, member) <= asked_even_part(file);
}

/* It has taken no memory, and nothing has been used of what it has as far as is known, for as long
 * as it takes to fill the pool anew, IDLE_ROUNDS times. */
static bool is_idle(const struct pool_file *file, const struct pool_member *member)
{
    uint32_t epoch = atomic_load_explicit(&file->epoch, memory_order_relaxed);
    uint32_t active = epoch - atomic_load_explicit(&member->active, memory_order_relaxed);

    return min_u64(active, asked_age(file, member)) > (uint64_t)IDLE_ROUNDS * asked_fill(file);
}

static bool may_be_asked(const struct pool_file *file, unsigned member, unsigned own)
{
    const struct pool_member *place = &file->members[member];

    return member != own && lives(place) && !asked_is_silent(place) &&
           ledger_held(&file->pages, member) >
               atomic_load_explicit(&place->share, memory_order_relaxed);
}

/* How old the objects of a member are that may be asked; 0: it may not. */
static uint32_t age_to_ask(const struct pool_file *file, unsigned member, unsigned own,
                           uint64_t fair)
{
    const struct pool_member *place = &file->members[member];
    uint32_t age = weighed_age(file, place), own_age = weighed_age(file, &file->members[own]);

    if (asked_is_modest(file, member) && !asked_is_modest(file, own) && !is_idle(file, place))
        return 0;
    if (ledger_held(&file->pages, own) <= fair && ledger_held(&file->pages, member) > fair)
        return age + 1;
    return age > own_age + own_age / AGE_MARGIN + 1 ? age : 0;
}

unsigned asked_find(const struct pool_file *file, unsigned own)
{
    uint32_t count = atomic_load(&file->count), oldest = 0;
    uint64_t fair = fair_part(file, count, own);
    unsigned found = POOL_MEMBERS;

    for (unsigned member = 0; member < count; member++) {
        uint32_t age = may_be_asked(file, member, own) ? age_to_ask(file, member, own, fair) : 0;
        if (age > oldest) {
            oldest = age;
            found = member;
        }
    }
    return found;
}

bool asked_in_use(const struct pool_file *file, uint32_t sampled, uint32_t touched, uint32_t epochs)
{
    return touched && (uint64_t)touched * asked_fill(file) >= (uint64_t)sampled * epochs;
}
