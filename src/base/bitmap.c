/* SPDX-License-Identifier: MIT */
/*
 * The hierarchical bitmap.
 *
 * Invariants: a bit of level n + 1 is set if and only if the word of level n that it stands for is
 * not zero; bits at and above `bits` are clear, on every level. The levels lie one after the other
 * in memory, the bits themselves first, so that a bitmap in reserved memory fills only where it is
 * used.
 */
#include "base/bitmap.h"

#define WORD_BITS 64

static uint64_t words_for(uint64_t bits)
{
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

/* Bits first to WORD_BITS - 1 of a word. */
static uint64_t bits_from(uint64_t first)
{
    return UINT64_MAX << first % WORD_BITS;
}

/* Bits 0 to last of a word. */
static uint64_t bits_up_to(uint64_t last)
{
    return UINT64_MAX >> (WORD_BITS - 1 - last % WORD_BITS);
}

size_t bitmap_bytes(uint64_t bits)
{
    uint64_t words = 0;

    do {
        bits = words_for(bits);
        words += bits;
    } while (bits > 1);
    return words * sizeof(uint64_t);
}

void bitmap_init(struct bitmap *map, uint64_t bits, void *memory)
{
    uint64_t *words = memory;

    map->bits = bits;
    map->levels = 0;
    do {
        map->level[map->levels++] = words;
        bits = words_for(bits);
        words += bits;
    } while (bits > 1);
}

bool bitmap_test(const struct bitmap *map, uint64_t bit)
{
    return map->level[0][bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

void bitmap_set(struct bitmap *map, uint64_t bit)
{
    for (unsigned level = 0; level < map->levels; level++) {
        uint64_t *word = &map->level[level][bit / WORD_BITS];
        bool known = *word != 0;

        *word |= (uint64_t)1 << bit % WORD_BITS;
        if (known)
            return;
        bit /= WORD_BITS;
    }
}

void bitmap_clear(struct bitmap *map, uint64_t bit)
{
    for (unsigned level = 0; level < map->levels; level++) {
        uint64_t *word = &map->level[level][bit / WORD_BITS];

        *word &= ~((uint64_t)1 << bit % WORD_BITS);
        if (*word)
            return;
        bit /= WORD_BITS;
    }
}

static void set_words(uint64_t *words, uint64_t first, uint64_t last)
{
    uint64_t end = last / WORD_BITS;
    uint64_t mask = bits_from(first);

    for (uint64_t word = first / WORD_BITS; word < end; word++) {
        words[word] |= mask;
        mask = UINT64_MAX;
    }
    words[end] |= mask & bits_up_to(last);
}

static void clear_words(uint64_t *words, uint64_t first, uint64_t last)
{
    uint64_t end = last / WORD_BITS;
    uint64_t mask = bits_from(first);

    for (uint64_t word = first / WORD_BITS; word < end; word++) {
        words[word] &= ~mask;
        mask = UINT64_MAX;
    }
    words[end] &= ~(mask & bits_up_to(last));
}

void bitmap_set_range(struct bitmap *map, uint64_t first, uint64_t count)
{
    uint64_t last = first + count - 1;

    if (count == 0)
        return;
    for (unsigned level = 0; level < map->levels; level++) {
        set_words(map->level[level], first, last);
        first /= WORD_BITS;
        last /= WORD_BITS;
    }
}

void bitmap_clear_range(struct bitmap *map, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;

    for (unsigned level = 0; level < map->levels && first < end; level++) {
        uint64_t *words = map->level[level];
        uint64_t last = end - 1;

        clear_words(words, first, last);
        /* The words at the edges may have bits left; those between are zero now. */
        end = last / WORD_BITS + (words[last / WORD_BITS] == 0);
        first = first / WORD_BITS + (words[first / WORD_BITS] != 0);
    }
}

/* Go down from a set bit of a level to the first bit below it. */
static uint64_t descend(const struct bitmap *map, unsigned level, uint64_t bit)
{
    while (level-- > 0)
        bit = bit * WORD_BITS + (uint64_t)__builtin_ctzll(map->level[level][bit]);
    return bit;
}

uint64_t bitmap_next_set(const struct bitmap *map, uint64_t from)
{
    uint64_t bits = map->bits;

    for (unsigned level = 0; level < map->levels && from < bits; level++) {
        uint64_t word = from / WORD_BITS;
        uint64_t found = map->level[level][word] & bits_from(from);

        if (found)
            return descend(map, level, word * WORD_BITS + (uint64_t)__builtin_ctzll(found));
        from = word + 1;
        bits = words_for(bits);
    }
    return BITMAP_NONE;
}

uint64_t bitmap_run(const struct bitmap *map, uint64_t first, uint64_t limit)
{
    uint64_t run = 0;

    if (first >= map->bits)
        return 0;
    limit = min_u64(limit, map->bits - first);
    while (run < limit) {
        uint64_t bit = first + run;
        uint64_t clear = ~map->level[0][bit / WORD_BITS] & bits_from(bit);

        if (clear)
            return min_u64(limit, run + (uint64_t)__builtin_ctzll(clear) - bit % WORD_BITS);
        run += WORD_BITS - bit % WORD_BITS;
    }
    return limit;
}

struct search {
    uint64_t want;
    uint64_t align;
    unsigned effort; /* runs that may still be looked at */
    uint64_t best;
    uint64_t best_count;
};

/* Look at the runs that begin in [from, end) until one is long enough. */
static void scan(const struct bitmap *map, struct search *search, uint64_t from, uint64_t end)
{
    while (search->effort > 0 && search->best_count < search->want) {
        uint64_t next = bitmap_next_set(map, from);
        if (next >= end)
            return;

        uint64_t first = align_up(next, search->align);
        uint64_t run = bitmap_run(map, first, search->want);
        if (run > search->best_count) {
            search->best = first;
            search->best_count = run;
        }
        from = first + max_u64(run, 1);
        search->effort--;
    }
}

uint64_t bitmap_find_run(const struct bitmap *map, uint64_t from, uint64_t want, uint64_t align,
                         unsigned effort, uint64_t *count)
{
    struct search search = {.want = want, .align = align, .effort = effort, .best = BITMAP_NONE};

    scan(map, &search, from, map->bits);
    scan(map, &search, 0, min_u64(from, map->bits));
    if (align > 1 && search.best_count < want) {
        search.best = BITMAP_NONE;
        search.best_count = 0;
    }
    *count = search.best_count;
    return search.best;
}
