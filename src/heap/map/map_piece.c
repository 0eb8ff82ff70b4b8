/* SPDX-License-Identifier: MIT */
/*
 * The kernel's mapping of the window knows the protection of each page, so what the program must
 * not do is a true SIGSEGV; the traits repeat it here. Where nothing is mapped the window is
 * readable and writable but empty: touching it is a fault that the fault handler forbids.
 *
 * A place that is lent to another mapping of the kernel counts as live in its region, so that its
 * addresses are not used for anything else, but its pages are SLOT_GONE: there is no object.
 *
 * The lock is held while an operation waits for a page that is being written, or locks memory that
 * must be read: other calls on mappings wait then, as they do for the kernel's own lock. The fault
 * handler never takes it.
 */
#include "heap/map/map_piece.h"

#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/discard.h"
#include "base/lock.h"
#include "base/msg.h"
#include "base/sys.h"
#include "mask/mask.h"

#include <errno.h>
#include <sys/mman.h>

#define REGION_NAME "mmap"

static struct lock maps = LOCK_INIT(RANK_MAP);

struct inside map_enter(void)
{
    struct inside inside = inside_enter();

    lock_take(&maps);
    return inside;
}

void map_leave(struct inside inside)
{
    lock_drop(&maps);
    inside_leave(inside);
}

enum map_place map_place(uintptr_t address, size_t size, struct map_range *range)
{
    if (!size || !window_overlaps((void *)address, size))
        return MAP_OUTSIDE;
    if (!window_contains((void *)address) || !window_contains((void *)(address + size - 1)))
        return MAP_ACROSS;
    range->first = page_of((void *)address);
    range->end = range->first + (size >> PAGE_SHIFT);
    return MAP_INSIDE;
}

/* ---- Pieces ---- */

static bool is_mapped(object_t page)
{
    return traits_of(page) & TRAIT_FOREIGN || objects.slots[page] != SLOT_GONE;
}

/* As far as pages [first, first + pages) of a chunk, with the same traits, are mapped or not. */
static uint32_t alike(object_t first, uint32_t pages)
{
    bool mapped = is_mapped(first);
    uint32_t run = 1;

    while (run < pages && is_mapped(first + run) == mapped)
        run++;
    return run;
}

static struct map_piece piece_in_chunk(object_t first, uint32_t most)
{
    struct map_piece piece = {first, most, 0, region_of(first)};

    if (!piece.region || !region_has(piece.region, first)) {
        piece.region = NULL;
        return piece;
    }
    most = (uint32_t)min_u64(most, (uint64_t)piece.region->first + piece.region->pages - first);
    piece.pages = traits_run(first, most);
    piece.traits = traits_of(first);
    if (region_chunk_full(first))
        return piece;
    piece.pages = alike(first, piece.pages);
    if (!is_mapped(first))
        piece.region = NULL;
    return piece;
}

struct map_piece map_piece(uint64_t at, struct map_range range)
{
    struct map_piece piece = {0};

    while (at < range.end) {
        uint64_t chunk_end = align_down(at, CHUNK_PAGES) + CHUNK_PAGES;
        uint32_t most = (uint32_t)(min_u64(range.end, chunk_end) - at);
        struct map_piece next = piece_in_chunk((object_t)at, most);
        if (!piece.pages)
            piece = next;
        else if (next.region == piece.region && (!next.region || next.traits == piece.traits))
            piece.pages += next.pages;
        else
            break;
        at += next.pages;
    }
    return piece;
}

static struct map_range range_of(const struct map_piece *piece)
{
    return (struct map_range){piece->first, (uint64_t)piece->first + piece->pages};
}

uint64_t map_charged(struct map_range range)
{
    uint64_t bytes = 0;

    MAP_EACH(piece, range)
    bytes += piece.region && piece.traits & TRAIT_CHARGED ? map_bytes(&piece) : 0;
    return bytes;
}

bool map_is_free(struct map_range range)
{
    struct map_piece piece = map_piece(range.first, range);

    return !piece.region && piece.pages == range.end - range.first;
}

bool map_is_whole(struct map_range range)
{
    MAP_EACH(piece, range)
    if (!piece.region)
        return false;
    return true;
}

/* ---- Protection and traits ---- */

traits_t map_traits_of(int protection)
{
    traits_t traits = protection & PROT_EXEC ? TRAIT_EXECUTE : 0;

    if (!(protection & PROT_WRITE))
        traits |= TRAIT_NO_WRITE;
    if (!(protection & (PROT_READ | PROT_WRITE)))
        traits |= TRAIT_NO_READ;
    return traits;
}

int map_protection_of(traits_t traits)
{
    return (traits & TRAIT_NO_READ ? 0 : PROT_READ) | (traits & TRAIT_NO_WRITE ? 0 : PROT_WRITE) |
           (traits & TRAIT_EXECUTE ? PROT_EXEC : 0);
}

int map_protect(struct map_range range, traits_t traits)
{
    return (int)sys_call(SYS_mprotect, page_address((object_t)range.first),
                         (range.end - range.first) << PAGE_SHIFT, map_protection_of(traits));
}

/* That a chunk is lent may be said of all of it only when all of it is: else pages that are not
 * mapped would count as lent, too. */
void map_note(struct map_range range, traits_t traits)
{
    bool lent = traits & TRAIT_FOREIGN;

    for (uint64_t at = range.first; at < range.end;) {
        uint64_t stop = min_u64(range.end, align_down(at, CHUNK_PAGES) + CHUNK_PAGES);
        uint32_t pages = (uint32_t)(stop - at);
        traits_set((object_t)at, pages, traits, !lent && region_chunk_live((object_t)at) == pages);
        at = stop;
    }
}

/* ---- Unmapping and mapping anew ---- */

static void unlock(const struct map_piece *piece)
{
    if (piece->traits & TRAIT_LOCKED)
        arena_unpin(map_address(piece), map_bytes(piece));
}

/* Take a mapped piece's objects away; it counts as mapped still. */
static void clear_piece(const struct map_piece *piece)
{
    unlock(piece);
    discard_unmapped(piece->first, piece->pages);
    if (piece->traits & TRAIT_CHARGED)
        commit_give(map_bytes(piece));
}

static int unmap_piece(const struct map_piece *piece)
{
    int error = 0;

    if (map_is_foreign(piece))
        error = mask_take_back(map_address(piece), map_bytes(piece));
    else
        clear_piece(piece);
    if (error)
        return error;
    if (map_is_foreign(piece))
        map_note(range_of(piece), 0);
    else if (piece->traits & TRAITS_PROTECTION)
        mask_permit(map_address(piece), map_bytes(piece));
    region_remove(piece->region, piece->first, piece->pages);
    return 0;
}

int map_unmap_pages(struct map_range range)
{
    int error = 0;

    MAP_EACH(piece, range)
    {
        if (piece.region && !error)
            error = unmap_piece(&piece);
    }
    return error;
}

/* Without being free in between: who needs addresses for the heap takes none of our locks. */
static int take_back(const struct map_piece *piece)
{
    int error = mask_take_back(map_address(piece), map_bytes(piece));

    if (error)
        return error;
    region_unlend(piece->first, piece->pages);
    map_note(range_of(piece), 0);
    return 0;
}

int map_renew(struct map_range range, traits_t traits)
{
    traits_t other = 0;
    int error = 0;

    MAP_EACH(piece, range)
    {
        traits_t protection = piece.region ? piece.traits & TRAITS_PROTECTION : 0;
        if (piece.region && map_is_foreign(&piece)) {
            error = error ? error : take_back(&piece);
            protection = 0;
        } else if (piece.region) {
            unlock(&piece);
            discard_pages(piece.first, piece.pages);
        }
        other |= protection ^ (traits & TRAITS_PROTECTION);
    }
    if (!error)
        error = region_fill((object_t)range.first, range.end - range.first, REGION_NAME);
    if (!error && other)
        error = map_protect(range, traits);
    if (!error)
        map_note(range, traits);
    return error;
}

/* ---- Foreign mappings ---- */

/* Make the pages count as mapped, with no object and lent. */
static int lend_piece(const struct map_piece *piece)
{
    int error = 0;

    if (!piece->region)
        error = region_fill(piece->first, piece->pages, REGION_NAME);
    if (!error)
        error = mask_lend(map_address(piece), map_bytes(piece));
    if (error)
        return error;
    region_open_gaps(piece->first, piece->pages);
    if (piece->region)
        clear_piece(piece);
    else
        discard_unmapped(piece->first, piece->pages);
    map_note(range_of(piece), TRAIT_FOREIGN);
    return 0;
}

int map_place_foreign(struct map_range range, uintptr_t from)
{
    size_t size = (range.end - range.first) << PAGE_SHIFT;
    void *to = page_address((object_t)range.first);
    int error = 0;
    long got = 0;

    MAP_EACH(piece, range)
    {
        if (!error && !(piece.region && map_is_foreign(&piece)))
            error = lend_piece(&piece);
    }
    if (!error)
        got = sys_call(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (!error && got == (long)to)
        return 0;
    if (map_unmap_pages(range))
        msg_warning("the addresses from %p on stay unused", to);
    return error ? error : (int)got;
}
