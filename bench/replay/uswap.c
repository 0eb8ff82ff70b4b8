/* SPDX-License-Identifier: MIT */
/*
 * The order of eviction of src/object/pool.c, src/arena/evict.c and fill.c, for one thread and
 * objects of one page, without what makes no difference to it: writes are done at once. Nothing is
 * read ahead unless that is asked for; then streams are followed by src/arena/stream.c itself, and
 * a read counts as one miss. Names are those used there.
 */
#include "arena/stream.h"
#include "base/base.h"
#include "lists.h"

enum { COLD = 1, HOT, MASKED };

#define OLD_SHARE     8
#define STEP_MAX      256
#define DROPS         64
#define TASK_PAGES    128
#define MEANWHILE     8 /* pages masked during a read, in up to so many runs */
#define RUNS          3
#define SCORE_MAX     64
#define SCORE_COST    4
#define SCORE_PAUSE   1024
#define SMALLEST_STEP 16
#define RETURN_WEIGHT 4
#define RETURNS_MAX   64
#define FRESH_AHEAD   16
#define READS         8
#define SETS          32 /* runs whose pages are far from each other, for streams */

struct uswap {
    struct run *run;
    struct lists lists;
    uint32_t *left;               /* when a page left, by the clock */
    uint32_t *came;               /* its place in the order of the cold ring */
    bool *clean, *was_hot, *seen; /* seen: it has content, in memory or not */
    uint32_t clock, pushed, returned;
    uint32_t step, low;
    uint32_t content; /* pages that have any */
    object_t base;    /* streams outlive a run: what they know of others is far away */
    int score, returns;
};

/* supply_set_budget() */
static void set_budget(struct uswap *us)
{
    uint64_t step = max_u64(us->run->capacity / 64, SMALLEST_STEP);

    if (step >= 2 * DROPS)
        step = align_up(step, DROPS);
    us->step = (uint32_t)min_u64(step, STEP_MAX);
    us->low = (uint32_t)min_u64(max_u64(2 * (uint64_t)us->step, 64), 4096);
    if (!us->run->tuning.reserve)
        us->step = us->low = 1;
}

static void *make(struct run *run)
{
    static unsigned runs;
    struct uswap *us = run_memory(run, 1, sizeof(*us));

    us->run = run;
    us->base = (object_t)(++runs % SETS) << 27;
    us->lists = lists_make(run);
    us->left = run_memory(run, run->trace->limit, sizeof(*us->left));
    us->came = run_memory(run, run->trace->limit, sizeof(*us->came));
    us->clean = run_memory(run, run->trace->limit, sizeof(*us->clean));
    us->was_hot = run_memory(run, run->trace->limit, sizeof(*us->was_hot));
    us->seen = run_memory(run, run->trace->limit, sizeof(*us->seen));
    set_budget(us);
    return us;
}

static uint32_t resident(const struct uswap *us)
{
    return lists_count(&us->lists, COLD) + lists_count(&us->lists, HOT);
}

static uint32_t masked(const struct uswap *us)
{
    return lists_count(&us->lists, MASKED);
}

static uint32_t unused(const struct uswap *us)
{
    uint32_t used = resident(us) + masked(us);

    return us->run->capacity > used ? us->run->capacity - used : 0;
}

static void push(struct uswap *us, unsigned list, uint32_t page)
{
    if (list == COLD)
        us->came[page] = us->pushed++;
    lists_push(&us->lists, list, page);
}

/* ---- Leaving ---- */

static void add_to_returns(struct uswap *us, int change)
{
    us->returns += change;
    if (us->returns < 0)
        us->returns = 0;
    if (us->returns > RETURNS_MAX)
        us->returns = RETURNS_MAX;
}

static void leave_memory(struct uswap *us, uint32_t page)
{
    lists_remove(&us->lists, page);
    us->left[page] = us->clock++;
    if (us->was_hot[page])
        add_to_returns(us, -1);
    us->clean[page] = false;
}

static unsigned ring_to_shrink(const struct uswap *us)
{
    uint64_t cold = lists_count(&us->lists, COLD);

    return cold * us->run->tuning.cold >= resident(us) ? COLD : HOT;
}

static bool may_drop(const struct uswap *us, uint32_t page)
{
    return us->run->tuning.drop && us->clean[page] && us->lists.in[page] == COLD;
}

static bool is_old(const struct uswap *us, uint32_t page)
{
    uint32_t head = us->lists.of[COLD].oldest;

    return us->came[page] - us->came[head] < lists_count(&us->lists, COLD) / OLD_SHARE;
}

/* claim_beside(): what is nearly as old and shares the page table leaves, too. */
static uint32_t drop_with_old(struct uswap *us, uint32_t victim, uint32_t most)
{
    uint32_t first = victim / TRACE_CHUNK * TRACE_CHUNK, dropped = 1;
    uint32_t beside[TRACE_CHUNK], count = 0;

    for (uint32_t page = first; page < first + TRACE_CHUNK && dropped + count < most; page++)
        if (page != victim && us->lists.in[page] == COLD && may_drop(us, page) && is_old(us, page))
            beside[count++] = page;
    leave_memory(us, victim);
    for (uint32_t i = 0; i < count; i++)
        leave_memory(us, beside[i]);
    return dropped + count;
}

static void mask_page(struct uswap *us, uint32_t page)
{
    us->clean[page] = false;
    us->was_hot[page] = us->lists.in[page] == HOT;
    push(us, MASKED, page);
}

static uint32_t oldest(const struct uswap *us)
{
    unsigned ring = ring_to_shrink(us);
    uint32_t page = us->lists.of[ring].oldest;

    return page != NO_PAGE ? page : us->lists.of[ring == COLD ? HOT : COLD].oldest;
}

struct wish {
    uint32_t pages, runs, drops;
};

/* pool_claim_victims(), and what is done with them */
static uint32_t leave(struct uswap *us, struct wish wish)
{
    uint32_t done = 0, runs = 0, drops = 0, before = NO_PAGE, page;

    while (done < wish.pages && runs <= wish.runs && drops < wish.drops &&
           (page = oldest(us)) != NO_PAGE) {
        if (may_drop(us, page)) {
            uint64_t most = min_u64(wish.pages - done, wish.drops - drops);
            uint32_t dropped = drop_with_old(us, page, (uint32_t)most);
            drops += dropped;
            done += dropped;
        } else {
            runs += !(done && page == before + 1);
            mask_page(us, page);
            done++;
        }
        before = page;
    }
    return done;
}

static uint32_t write_step(struct uswap *us, uint32_t pages)
{
    uint32_t done = 0;

    for (; done < pages && masked(us); done++)
        leave_memory(us, us->lists.of[MASKED].oldest);
    return done;
}

static uint32_t masked_target(const struct uswap *us)
{
    return us->run->tuning.masked ? resident(us) / us->run->tuning.masked : 0;
}

static void evict_step(struct uswap *us)
{
    uint32_t left = 0;

    if (masked(us) < masked_target(us) + us->step)
        left = leave(us, (struct wish){us->step, STEP_MAX, STEP_MAX});
    if (masked(us) >= masked_target(us) || !left)
        write_step(us, us->step);
}

/* Once: the read is over then. */
static void evict_meanwhile(struct uswap *us)
{
    if (unused(us) >= us->low)
        return;
    if (masked(us) >= masked_target(us) + TASK_PAGES)
        write_step(us, TASK_PAGES);
    else
        leave(us, (struct wish){MEANWHILE, RUNS, 1});
}

/* ---- Coming ---- */

static bool clean_wanted(struct uswap *us)
{
    if (us->score < SCORE_MAX)
        us->score++;
    return us->score > 0;
}

static void clean_write(struct uswap *us, uint32_t page)
{
    us->clean[page] = false;
    if (us->score >= 0)
        us->score = us->score >= SCORE_COST ? us->score - SCORE_COST : -SCORE_PAUSE;
}

static bool is_near(const struct uswap *us, uint32_t page)
{
    uint32_t near = (uint32_t)((uint64_t)resident(us) * us->run->tuning.near / 100);

    return us->clock - us->left[page] < near;
}

/* pool_takes_returned() */
static bool takes_returned(struct uswap *us, uint32_t page)
{
    const struct tuning *tuning = &us->run->tuning;

    if (us->was_hot[page])
        add_to_returns(us, RETURN_WEIGHT);
    if (ring_to_shrink(us) == COLD || (tuning->learn && us->returns <= RETURNS_MAX / 2))
        return true;
    return us->returned++ % tuning->returned == 0;
}

/* How many pages come along, of which reserve and chunk have room for: work_take_frames(). */
static uint32_t room_ahead(const struct uswap *us, uint32_t page, uint32_t wanted)
{
    uint32_t chunk = TRACE_CHUNK - page % TRACE_CHUNK;

    wanted = (uint32_t)min_u64(wanted, chunk);
    while (wanted > 1 && unused(us) < wanted + us->low / 4)
        wanted /= 2;
    return wanted;
}

/* claim_evicted(), claim_empty(): what is like the page that was touched, as far as that is in few
 * pieces. Returns how many there were. */
static uint32_t bring_along(struct uswap *us, uint32_t page, uint32_t end, bool evicted)
{
    uint32_t count = 0, pieces = 1, last = page;

    for (uint32_t next = page + 1; next < end; next++) {
        if (us->lists.in[next] || us->seen[next] != evicted) {
            if (!evicted)
                break;
            continue;
        }
        pieces += next != last + 1;
        if (pieces > READS)
            break;
        us->content += !evicted;
        us->seen[next] = true;
        us->clean[next] = false;
        push(us, COLD, next);
        last = next;
        count++;
    }
    return count;
}

static struct uswap *going; /* whose stream is asked for */

static bool is_here(object_t first, object_t end)
{
    for (object_t page = first; page < end; page++)
        if (!going->lists.in[page - going->base] && going->seen[page - going->base])
            return false;
    return true;
}

/* Returns how many pages came along. */
static uint32_t go_ahead(struct uswap *us, uint32_t page, bool evicted)
{
    uint32_t limit = evicted ? us->low / 2 : FRESH_AHEAD, wanted, count;
    struct stream_around around = {.here = is_here};

    if (!us->run->tuning.ahead)
        return 0;
    around.gone = us->content - resident(us) - masked(us);
    going = us;
    wanted = room_ahead(us, page, stream_next(us->base + page, limit, &around));
    count = bring_along(us, page, page + wanted, evicted);
    stream_extend(us->base + page, wanted, count + 1);
    us->run->ahead += evicted ? count : 0;
    return count;
}

static void fault(struct uswap *us, uint32_t page, bool write)
{
    bool evicted = us->seen[page], near = evicted && is_near(us, page);

    us->content += !us->seen[page];
    us->seen[page] = true;
    if (evicted && us->run->tuning.reserve)
        evict_meanwhile(us);
    while (!unused(us))
        evict_step(us);
    push(us, near && takes_returned(us, page) ? HOT : COLD, page);
    us->was_hot[page] = false;
    us->clean[page] = !go_ahead(us, page, evicted) && evicted && !write && clean_wanted(us);
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct uswap *us = state;
    unsigned list = us->lists.in[page];

    if (list == COLD || list == HOT) {
        if (write && us->clean[page])
            clean_write(us, page);
        return true;
    }
    if (list == MASKED) {
        us->run->minor++;
        push(us, HOT, page);
    } else {
        fault(us, page, write);
    }
    if (unused(us) < us->low / 2)
        evict_step(us);
    return list == MASKED;
}

const struct policy policy_uswap = {"uswap", make, touch};
