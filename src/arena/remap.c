/* SPDX-License-Identifier: MIT */
/*
 * Each page of the source gives its state, its slot and its frame or memory to the page at the same
 * place of the destination. The destination is claimed first, without waiting, and given up while
 * the source is waited for, so that no owner waits. Resident neighbours move in one call.
 *
 * A page that the kernel holds on to for somebody's direct IO is copied; that IO would go on to
 * the old page, as it may with mremap() at any time.
 */
#include "arena/remap.h"

#include "arena/clean.h"
#include "arena/discard.h"
#include "arena/masked.h"
#include "arena/region.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/pool.h"

#include <errno.h>

/* Resident pages that are moved together. */
#define RUN_MAX 256

static void move_slot(object_t from, object_t to)
{
    objects.slots[to] = objects.slots[from];
    objects.pages[to].checksum = objects.pages[from].checksum;
    objects.slots[from] = SLOT_NONE;
}

/* Own an empty destination. Somebody may have written there meanwhile: that is lost, as it would be
 * a moment earlier. */
static void claim_target(object_t to)
{
    region_touch(to, 1);
    for (;;) {
        uint64_t word = object_load(to);
        if (object_state_of(word) == OBJECT_EMPTY && object_claim_pinned(to, word))
            return;
        discard_pages(to, 1);
    }
}

static void release_targets(object_t to, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        object_publish(to + i, OBJECT_EMPTY, 0);
}

static uint64_t flags_of(object_t object)
{
    return object_load(object) & (OBJECT_HOT | OBJECT_AHEAD);
}

/* Own as many resident pages as follow here, and their destinations. */
static uint32_t claim_resident(object_t from, object_t to, uint32_t pages)
{
    uint32_t run = 0;

    while (run < pages && run < RUN_MAX) {
        uint64_t word = object_load(from + run);
        if (object_state_of(word) != OBJECT_RESIDENT)
            break;
        claim_target(to + run);
        if (!object_claim_pinned(from + run, word)) {
            release_targets(to + run, 1);
            break;
        }
        run++;
    }
    return run;
}

static int move_memory(object_t from, object_t to, uint32_t pages, uint32_t *moved)
{
    struct mask_span source = {page_address(from), (size_t)pages * PAGE_SIZE, MASK_PROGRAM};
    size_t bytes = 0, rest = 0;
    int error = mask_move(page_address(to), &source, &bytes);

    if (error == -EBUSY) {
        source =
            (struct mask_span){(char *)source.address + bytes, source.size - bytes, MASK_FRAMES};
        error = mask_move((char *)page_address(to) + bytes, &source, &rest);
    }
    *moved = (uint32_t)((bytes + rest) / PAGE_SIZE);
    return error;
}

/* Move a run of resident pages that is owned on both sides. */
static int move_resident(object_t from, object_t to, uint32_t pages, uint32_t *moved)
{
    int error = move_memory(from, to, pages, moved);

    for (uint32_t i = 0; i < *moved; i++) {
        move_slot(from + i, to + i);
        pool_add(to + i, 1, flags_of(from + i));
        object_publish(from + i, OBJECT_EMPTY, 0);
    }
    for (uint32_t i = *moved; i < pages; i++) {
        clean_end(from + i, object_load(from + i));
        pool_add(from + i, 1, flags_of(from + i));
    }
    release_targets(to + *moved, pages - *moved);
    return error;
}

/* Move one page that is not resident. False: it has changed, look again. */
static bool move_other(object_t from, object_t to)
{
    uint64_t word = object_load(from);
    enum object_state state = object_state_of(word);

    if (state == OBJECT_EMPTY)
        return true;
    if (state == OBJECT_BUSY || state == OBJECT_WRITING) {
        object_wait(from, word);
        return false;
    }
    if (state == OBJECT_RESIDENT)
        return false;
    claim_target(to);
    if (!object_claim_pinned(from, word)) {
        release_targets(to, 1);
        return false;
    }
    move_slot(from, to);
    if (state == OBJECT_MASKED)
        masked_requeue(to, object_where_of(word));
    else
        object_publish(to, state | (word & OBJECT_HOT), object_where_of(word));
    object_publish(from, OBJECT_EMPTY, 0);
    return true;
}

static int move_pages(object_t from, object_t to, uint32_t pages, uint32_t *done)
{
    int error = 0;

    for (*done = 0; !error && *done < pages;) {
        uint32_t moved = 0;
        uint32_t run = claim_resident(from + *done, to + *done, pages - *done);
        if (run)
            error = move_resident(from + *done, to + *done, run, &moved);
        else
            moved = move_other(from + *done, to + *done);
        *done += moved;
    }
    return error;
}

/* How far pages from here on go without a chunk whose objects were never used. */
static uint32_t used_run(object_t from, uint32_t pages, bool *used)
{
    uint32_t run = 0;

    *used = region_chunk_touched(from);
    while (run < pages && region_chunk_touched(from + run) == *used)
        run += (uint32_t)min_u64(pages - run, CHUNK_PAGES - (from + run) % CHUNK_PAGES);
    return run;
}

int remap_pages(object_t from, object_t to, uint32_t pages)
{
    uint32_t done = 0, moved, undone;
    int error = 0;

    while (!error && done < pages) {
        bool used;
        uint32_t run = used_run(from + done, pages - done, &used);
        moved = run;
        if (used)
            error = move_pages(from + done, to + done, run, &moved);
        done += moved;
    }
    if (error && move_pages(to, from, done, &undone))
        msg_error("%u pages at %p cannot be moved back into place", done, page_address(to));
    return error ? -ENOMEM : 0;
}
