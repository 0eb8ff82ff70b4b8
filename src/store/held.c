/* SPDX-License-Identifier: MIT */
/*
 * A member's bits are a row of a table whose rows are whole pages. A row is touched up to the
 * highest slot that the member ever held, and zeroed when that rises, not when it is cleared: what
 * was left behind is never read.
 */
#include "store/held.h"

#include "base/meta.h"
#include "base/sys.h"
#include "store/member.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define WORD_BITS 64

static struct {
    uint64_t *ends; /* of each member: the words from here on are not in use */
    uint64_t *rows;
    uint64_t row_words;
    size_t size;
} held;

int held_start(uint64_t limit)
{
    size_t head = align_up(MEMBERS_MAX * sizeof(*held.ends), PAGE_SIZE);
    size_t row = align_up(limit / 8, PAGE_SIZE);
    char *base = meta_reserve_shared(head + MEMBERS_MAX * row);

    if (!base)
        return -ENOMEM;
    held.ends = (void *)base;
    held.rows = (void *)(base + head);
    held.row_words = row / sizeof(uint64_t);
    held.size = head + MEMBERS_MAX * row;
    meta_charge((int64_t)head);
    return 0;
}

void held_stop(void)
{
    if (!held.ends)
        return;
    meta_release(held.ends, held.size);
    meta_charge(-(int64_t)align_up(MEMBERS_MAX * sizeof(*held.ends), PAGE_SIZE));
    held.ends = NULL;
}

static uint64_t *row_of(unsigned member)
{
    return held.rows + member * held.row_words;
}

static void extend(unsigned member, uint64_t words)
{
    uint64_t end = held.ends[member];

    if (likely(words <= end))
        return;
    memset(row_of(member) + end, 0, (words - end) * sizeof(uint64_t));
    held.ends[member] = words;
}

/* The bits of the first word of a run; moves on to the rest of it. */
static uint64_t next_mask(uint64_t *first, uint64_t *count)
{
    uint64_t offset = *first % WORD_BITS;
    uint64_t part = min_u64(*count, WORD_BITS - offset);

    *first += part;
    *count -= part;
    return UINT64_MAX >> (WORD_BITS - part) << offset;
}

void held_add(unsigned member, uint64_t first, uint64_t count)
{
    uint64_t *word = row_of(member) + first / WORD_BITS;

    extend(member, (first + count - 1) / WORD_BITS + 1);
    while (count > 0)
        *word++ |= next_mask(&first, &count);
}

bool held_remove(unsigned member, uint64_t first, uint64_t count)
{
    uint64_t *word = row_of(member) + first / WORD_BITS;
    uint64_t missing = 0;

    if ((first + count - 1) / WORD_BITS >= held.ends[member])
        return false;
    for (; count > 0; word++) {
        uint64_t mask = next_mask(&first, &count);

        missing |= mask & ~*word;
        *word &= ~mask;
    }
    return missing == 0;
}

const uint64_t *held_by(unsigned member, uint64_t *words)
{
    *words = held.ends[member];
    return row_of(member);
}

/* Where most members hold the same, as the children of one process do, few have to be looked at. */
struct held_word held_count(unsigned end, unsigned but, uint64_t at, uint64_t asked)
{
    struct held_word count = {0, 0};

    for (unsigned member = 0; member < end && asked & ~count.several; member++) {
        uint64_t word = member != but && at < held.ends[member] ? row_of(member)[at] : 0;

        count.several |= count.any & word;
        count.any |= word;
    }
    return count;
}

void held_copy(unsigned to, unsigned from)
{
    uint64_t words = held.ends[from];

    memcpy(row_of(to), row_of(from), words * sizeof(uint64_t));
    held.ends[to] = words;
    /* The pages stay, but they are not our memory. */
    sys_call(SYS_madvise, row_of(to), align_up(words * sizeof(uint64_t), PAGE_SIZE), MADV_DONTNEED);
}

void held_clear(unsigned member)
{
    size_t bytes = align_up(held.ends[member] * sizeof(uint64_t), PAGE_SIZE);

    held.ends[member] = 0;
    meta_trim(row_of(member), bytes);
}

uint64_t held_bytes(unsigned member)
{
    return align_up(held.ends[member] * sizeof(uint64_t), PAGE_SIZE);
}
