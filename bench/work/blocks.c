/* SPDX-License-Identifier: MIT */
/*
 * Blocks from malloc: what it costs to free those whose memory has left, and to have many small
 * ones that come and go.
 *
 * Size and content of a block follow from the seed, its number and how often its place has been
 * filled, so that none is trusted that was not checked: churn checks each block before it frees it
 * and all of them at the end, free checks the quarter that it keeps.
 */
#include "base/clock.h"
#include "cases.h"
#include "measure.h"
#include "random.h"

#include <inttypes.h>
#include <stdlib.h>

#define SMALL       16   /* bytes; small blocks have as many, up to 32 times as many */
#define LARGE       1024 /* those that are only freed */
#define STEPS       5    /* powers of two between the smallest and the largest */
#define KEEP        4    /* one block of so many stays when the others are freed */
#define YOUNG       10   /* one place of so many is in the part where most come and go */
#define YOUNG_PARTS 90   /* percent of those that come and go do so there */
#define WARM        2    /* churn warms up for so many times the seconds */

struct block {
    uint64_t *words;
    uint32_t number, fills;
};

static struct {
    struct block *blocks; /* from malloc, too */
    uint64_t count, least, mean;
} set;

static uint64_t block_tag(const struct block *block)
{
    return mix(options.seed ^ mix((uint64_t)block->number << 32 | block->fills));
}

/* As many blocks of each power of two, evenly within it. */
static size_t block_bytes(uint64_t tag)
{
    uint64_t least = set.least << tag % STEPS;

    return least + (tag >> 32) % least;
}

static inline uint64_t block_word(uint64_t tag, size_t i)
{
    uint64_t x = (tag + i) * 0x9e3779b97f4a7c15u;

    return x ^ (x >> 32);
}

static void block_fill(struct block *block)
{
    uint64_t tag = block_tag(block);
    size_t bytes = block_bytes(tag);

    block->words = malloc(bytes);
    if (!block->words)
        die("blocks: malloc has no %zu bytes", bytes);
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        block->words[i] = block_word(tag, i);
}

static void block_check(const struct block *block)
{
    uint64_t tag = block_tag(block), wrong = 0;

    for (size_t i = 0; i < block_bytes(tag) / sizeof(uint64_t); i++)
        wrong |= block->words[i] ^ block_word(tag, i);
    if (unlikely(wrong))
        die("blocks: block %" PRIu32 " of fill %" PRIu32 " (seed %" PRIu64 ") has wrong content",
            block->number, block->fills, options.seed);
}

static void set_make(uint64_t least)
{
    set.least = least;
    set.mean = least * 3 / 2 * ((1 << STEPS) - 1) / STEPS;
    set.count = options.size / (set.mean + sizeof(struct block));
    set.blocks = calloc(set.count, sizeof(struct block));
    if (!set.blocks)
        die("blocks: malloc has no memory for %" PRIu64 " places", set.count);
    for (uint64_t i = 0; i < set.count; i++) {
        set.blocks[i].number = (uint32_t)i;
        block_fill(&set.blocks[i]);
    }
}

/* In any order, whatever that of their making. */
static void set_shuffle(void)
{
    uint64_t random = options.seed;

    for (uint64_t i = set.count - 1; i > 0; i--) {
        uint64_t other = random_below(&random, i + 1);
        struct block block = set.blocks[i];

        set.blocks[i] = set.blocks[other];
        set.blocks[other] = block;
    }
}

/* Check and free those that are left. */
static void set_end(void)
{
    for (uint64_t i = 0; i < set.count; i++)
        if (set.blocks[i].words) {
            block_check(&set.blocks[i]);
            free(set.blocks[i].words);
        }
    free(set.blocks);
}

static struct measure *begin(uint64_t warm_ns)
{
    struct measure *measure = measure_make(1);

    measure->begin_ns = clock_now_ns();
    measure->measure_ns = measure->begin_ns + warm_ns;
    return measure;
}

static void end(const char *name, struct measure *measure)
{
    set_end();
    measure_print(name, measure, 1, set.mean);
    measure_free(measure, 1);
}

static void free_most(const char *name)
{
    struct measure *measure = begin(0);
    uint64_t now = clock_now_ns();

    for (uint64_t i = 0; i < set.count; i++) {
        uint64_t start = now;

        if (i % KEEP == 0)
            continue;
        free(set.blocks[i].words);
        set.blocks[i].words = NULL;
        now = clock_now_ns();
        measure_add(measure, start, now);
    }
    end(name, measure);
}

static void case_free(const char *name)
{
    set_make(LARGE);
    free_most(name);
}

static void case_free_random(const char *name)
{
    set_make(LARGE);
    set_shuffle();
    free_most(name);
}

static void churn_once(uint64_t *random)
{
    bool young = random_below(random, 100) < YOUNG_PARTS;
    struct block *block = &set.blocks[random_below(random, young ? set.count / YOUNG : set.count)];

    block_check(block);
    free(block->words);
    block->fills++;
    block_fill(block);
}

static void case_churn(const char *name)
{
    uint64_t second = (uint64_t)(options.seconds * 1e9), random = options.seed;
    struct measure *measure;
    uint64_t now, last;

    set_make(SMALL);
    measure = begin(WARM * second);
    now = measure->begin_ns;
    last = now + (WARM + 1) * second;
    while (now < last || !measure->ops) {
        uint64_t start = now;

        churn_once(&random);
        now = clock_now_ns();
        measure_add(measure, start, now);
    }
    end(name, measure);
}

int main(int argc, char **argv)
{
    static const struct named_case cases[] = {
        {"free", case_free},
        {"free-random", case_free_random},
        {"churn", case_churn},
    };

    cases_main(argc, argv, cases, array_size(cases));
    return 0;
}
