/* SPDX-License-Identifier: MIT */
/*
 * mprotect(), madvise(), mlock() and their kin: what is said of mappings that stay where they are.
 * As in the kernel, a call works through its range in the order of addresses; what was done before
 * it met an error stays done.
 *
 * Memory that is made inaccessible is masked first: it leaves the window while its pages can still
 * be moved in runs, and is the next to leave memory.
 */
#include "arena/advise.h"
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/discard.h"
#include "arena/fault.h"
#include "arena/pin.h"
#include "base/mman.h"
#include "base/sys.h"
#include "heap/map/map.h"
#include "heap/map/map_piece.h"

#include <errno.h>
#include <string.h>

typedef int (*piece_fn)(const struct map_piece *piece, long argument);

static struct map_range range_of(const struct map_piece *piece)
{
    return (struct map_range){piece->first, (uint64_t)piece->first + piece->pages};
}

/* Visit what is mapped up to the first error. at_holes: what is not mapped is an error at once,
 * else when all is done. */
static int visit(struct map_range range, piece_fn change, long argument, bool at_holes)
{
    bool hole = false;
    int error = 0;

    MAP_EACH(piece, range)
    {
        hole |= !piece.region;
        if (hole && at_holes)
            return -ENOMEM;
        error = piece.region ? change(&piece, argument) : 0;
        if (error)
            return error;
    }
    return hole ? -ENOMEM : 0;
}

static int visit_inside(struct map_range range, piece_fn change, long argument, bool at_holes)
{
    struct inside inside = map_enter();
    int error = visit(range, change, argument, at_holes);

    map_leave(inside);
    return error;
}

/* ---- Protection ---- */

/* Chunk by chunk, for huge reservations are mostly untouched. */
static void mask_piece(const struct map_piece *piece)
{
    uint64_t end = (uint64_t)piece->first + piece->pages;

    for (uint64_t at = piece->first; at < end;) {
        uint64_t stop = min_u64(end, align_down(at, CHUNK_PAGES) + CHUNK_PAGES);
        if (region_chunk_touched((object_t)at))
            advise_cold((object_t)at, (uint32_t)(stop - at));
        at = stop;
    }
}

static int protect_foreign(const struct map_piece *piece, int protection)
{
    return (int)sys_call(SYS_mprotect, map_address(piece), map_bytes(piece), protection);
}

static int protect_piece(const struct map_piece *piece, long protection)
{
    traits_t wanted = map_traits_of((int)protection);
    traits_t traits = (piece->traits & ~TRAITS_PROTECTION) | wanted;
    bool charge = traits & TRAIT_RESERVED && !(wanted & TRAIT_NO_WRITE);
    int error;

    if (map_is_foreign(piece))
        return protect_foreign(piece, (int)protection);
    if (traits == piece->traits)
        return 0;
    if (charge && commit_take(map_bytes(piece)))
        return -ENOMEM;
    if (wanted & TRAIT_NO_READ && !(traits & TRAIT_LOCKED))
        mask_piece(piece);
    error = map_protect(range_of(piece), wanted);
    if (error && charge)
        commit_give(map_bytes(piece));
    if (error)
        return error;
    if (charge)
        traits ^= TRAIT_RESERVED | TRAIT_CHARGED;
    map_note(range_of(piece), traits);
    return 0;
}

/* Protection keys would keep the engine itself out of its memory. */
long map_mprotect(uintptr_t address, size_t size, int protection, int key)
{
    size_t bytes = align_up(size, PAGE_SIZE);
    struct map_range range;
    enum map_place place = map_place(address, bytes, &range);

    if (place == MAP_OUTSIDE)
        return key == -1 ? sys_call(SYS_mprotect, address, size, protection)
                         : sys_call(SYS_pkey_mprotect, address, size, protection, key);
    if (address % PAGE_SIZE || key != -1 || protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
        return -EINVAL;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    return visit_inside(range, protect_piece, protection, true);
}

/* ---- Advice ---- */

/* What is given up while nobody can use it need not be promised any more. */
static void uncommit_unused(const struct map_piece *piece)
{
    if (!(piece->traits & TRAIT_NO_READ) || !(piece->traits & TRAIT_CHARGED))
        return;
    map_note(range_of(piece), piece->traits ^ (TRAIT_RESERVED | TRAIT_CHARGED));
    commit_give(map_bytes(piece));
}

static int drop(const struct map_piece *piece, bool also_locked)
{
    if (piece->traits & TRAIT_LOCKED && !also_locked)
        return -EINVAL;
    discard_pages(piece->first, piece->pages);
    uncommit_unused(piece);
    return 0;
}

static int make_cold(const struct map_piece *piece)
{
    if (piece->traits & TRAIT_LOCKED)
        return -EINVAL;
    mask_piece(piece);
    return 0;
}

static int set_traits(const struct map_piece *piece, traits_t set, traits_t clear)
{
    map_note(range_of(piece), (piece->traits & ~clear) | set);
    return 0;
}

static int set_read_ahead(const struct map_piece *piece, enum region_advice advice)
{
    atomic_store(&piece->region->advice, (uint8_t)advice);
    return 0;
}

static int advise_piece(const struct map_piece *piece, long advice)
{
    if (map_is_foreign(piece))
        return (int)sys_call(SYS_madvise, map_address(piece), map_bytes(piece), advice);
    switch (advice) {
    case MADV_NORMAL:
        return set_read_ahead(piece, REGION_NORMAL);
    case MADV_RANDOM:
        return set_read_ahead(piece, REGION_RANDOM);
    case MADV_SEQUENTIAL:
        return set_read_ahead(piece, REGION_SEQUENTIAL);
    case MADV_DONTNEED:
    case MADV_FREE:
        return drop(piece, false);
    case MADV_DONTNEED_LOCKED:
        return drop(piece, true);
    case MADV_COLD:
    case MADV_PAGEOUT:
        return make_cold(piece);
    case MADV_DONTFORK:
        return set_traits(piece, TRAIT_DONT_FORK, 0);
    case MADV_DOFORK:
        return set_traits(piece, 0, TRAIT_DONT_FORK);
    case MADV_WIPEONFORK:
        return set_traits(piece, TRAIT_WIPE_ON_FORK, 0);
    case MADV_KEEPONFORK:
        return set_traits(piece, 0, TRAIT_WIPE_ON_FORK);
    case MADV_POPULATE_READ:
        return piece->traits & TRAIT_NO_READ ? -EINVAL : 0;
    case MADV_POPULATE_WRITE:
        return piece->traits & TRAIT_NO_WRITE ? -EINVAL : 0;
    case MADV_REMOVE:
        return -EINVAL;
    default: /* huge pages, core dumps, merging: nothing that changes what the program sees */
        return 0;
    }
}

static bool is_advice(int advice)
{
    return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) ||
           (advice >= MADV_FREE && advice <= MADV_DONTNEED_LOCKED);
}

/* Reading takes time: only the gate is held. */
static int bring_in(struct map_range range)
{
    struct inside inside = inside_enter();
    int error = advise_will_need((object_t)range.first, (uint32_t)(range.end - range.first));

    inside_leave(inside);
    return error;
}

static bool brings_in(int advice)
{
    return advice == MADV_WILLNEED || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

long map_madvise(uintptr_t address, size_t size, int advice)
{
    size_t bytes = align_up(size, PAGE_SIZE);
    struct map_range range;
    enum map_place place = map_place(address, bytes, &range);
    int error;

    if (place == MAP_OUTSIDE)
        return sys_call(SYS_madvise, address, size, advice);
    if (address % PAGE_SIZE || bytes < size || !is_advice(advice))
        return -EINVAL;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    error = visit_inside(range, advise_piece, advice,
                         advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE);
    if (!error && brings_in(advice) && bring_in(range))
        error = advice == MADV_WILLNEED ? 0 : -EFAULT;
    return error;
}

/* ---- Locking ---- */

static int lock_piece(const struct map_piece *piece, long flags)
{
    int error;

    if (map_is_foreign(piece))
        return (int)sys_call(SYS_mlock2, map_address(piece), map_bytes(piece), flags);
    if (piece->traits & TRAIT_LOCKED)
        return 0;
    if (piece->traits & TRAIT_NO_READ)
        return -ENOMEM;
    error = pin_locked(piece->first, piece->first + (piece->pages - 1));
    if (error)
        return -ENOMEM;
    return set_traits(piece, TRAIT_LOCKED, 0);
}

static int unlock_piece(const struct map_piece *piece, long unused)
{
    if (map_is_foreign(piece))
        return (int)sys_call(SYS_munlock, map_address(piece), map_bytes(piece));
    if (!(piece->traits & TRAIT_LOCKED))
        return 0;
    arena_unpin(map_address(piece), map_bytes(piece));
    return set_traits(piece, 0, TRAIT_LOCKED);
}

/* Whole pages of any range of bytes. */
static size_t round_out(uintptr_t *address, size_t size)
{
    size_t bytes = align_up(size + *address % PAGE_SIZE, PAGE_SIZE);

    *address = align_down(*address, PAGE_SIZE);
    return bytes;
}

long map_mlock(uintptr_t address, size_t size, unsigned flags)
{
    uintptr_t start = address;
    size_t bytes = round_out(&start, size);
    struct map_range range;
    enum map_place place = map_place(start, bytes, &range);

    if (place == MAP_OUTSIDE)
        return flags ? sys_call(SYS_mlock2, address, size, flags)
                     : sys_call(SYS_mlock, address, size);
    if (flags & ~(unsigned)MLOCK_ONFAULT)
        return -EINVAL;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    return visit_inside(range, lock_piece, flags, true);
}

long map_munlock(uintptr_t address, size_t size)
{
    uintptr_t start = address;
    size_t bytes = round_out(&start, size);
    struct map_range range;
    enum map_place place = map_place(start, bytes, &range);

    if (place == MAP_OUTSIDE)
        return sys_call(SYS_munlock, address, size);
    if (place == MAP_ACROSS)
        return -ENOMEM;
    return visit_inside(range, unlock_piece, 0, true);
}

/* As when the kernel's heap shrinks. Most programs never lock anything. */
void map_unlock_freed(void *address, size_t size)
{
    object_t first = page_of(address);
    struct map_range range = {first, (uint64_t)first + (size >> PAGE_SHIFT)};

    if (traits_any_on_fork())
        visit_inside(range, unlock_piece, 0, false);
}

/* Everything resident is what a budget is there to prevent: more than may be locked. */
long map_mlockall(int flags)
{
    if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
        return -EINVAL;
    return -ENOMEM;
}

long map_munlockall(void)
{
    struct map_range range = {0, (uint64_t)region_chunks_used() << CHUNK_PAGES_SHIFT};
    struct inside inside = map_enter();

    MAP_EACH(piece, range)
    {
        if (piece.region && !map_is_foreign(&piece))
            unlock_piece(&piece, 0);
    }
    map_leave(inside);
    return sys_call(SYS_munlockall);
}

/* ---- What is there ---- */

static int sync_piece(const struct map_piece *piece, long flags)
{
    if (map_is_foreign(piece))
        return (int)sys_call(SYS_msync, map_address(piece), map_bytes(piece), flags);
    return flags & MS_INVALIDATE && piece->traits & TRAIT_LOCKED ? -EBUSY : 0;
}

long map_msync(uintptr_t address, size_t size, int flags)
{
    size_t bytes = align_up(size, PAGE_SIZE);
    struct map_range range;
    enum map_place place = map_place(address, bytes, &range);

    if (place == MAP_OUTSIDE)
        return sys_call(SYS_msync, address, size, flags);
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || address % PAGE_SIZE ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    if (place == MAP_ACROSS || bytes < size)
        return -ENOMEM;
    return visit_inside(range, sync_piece, flags, false);
}

/* Pages looked at together: their states go to the program when nothing is held any more. */
#define INCORE_STEP 512

static bool is_in_core(object_t page)
{
    switch (object_state_of(object_load(object_of(page)))) {
    case OBJECT_EMPTY:
    case OBJECT_EVICTED:
    case OBJECT_POISONED:
        return false;
    default:
        return true;
    }
}

static int look_at_piece(const struct map_piece *piece, unsigned char *states)
{
    if (map_is_foreign(piece))
        return (int)sys_call(SYS_mincore, map_address(piece), map_bytes(piece), states);
    for (uint32_t i = 0; i < piece->pages; i++)
        states[i] = is_in_core(piece->first + i);
    return 0;
}

static int look(struct map_range range, unsigned char *states)
{
    struct inside inside = map_enter();
    int error = 0;

    MAP_EACH(piece, range)
    {
        if (!error)
            error = piece.region ? look_at_piece(&piece, states + (piece.first - range.first))
                                 : -ENOMEM;
    }
    map_leave(inside);
    return error;
}

/* The answer may go into memory that is swapped out. */
static long look_outside(uintptr_t address, size_t size, unsigned char *states)
{
    size_t count = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    long result = arena_pin(states, count);

    if (result)
        return result;
    result = sys_call(SYS_mincore, address, size, states);
    arena_unpin(states, count);
    return result;
}

long map_mincore(uintptr_t address, size_t size, unsigned char *states)
{
    size_t bytes = align_up(size, PAGE_SIZE);
    struct map_range range;
    enum map_place place = map_place(address, bytes, &range);

    if (place == MAP_OUTSIDE)
        return look_outside(address, size, states);
    if (address % PAGE_SIZE)
        return -EINVAL;
    if (place == MAP_ACROSS || bytes < size)
        return -ENOMEM;
    if ((uintptr_t)states < PAGE_SIZE)
        return -EFAULT;
    for (uint64_t at = range.first; at < range.end; at += INCORE_STEP) {
        unsigned char found[INCORE_STEP];
        struct map_range step = {at, min_u64(at + INCORE_STEP, range.end)};
        int error = look(step, found);
        if (error)
            return error;
        memcpy(states + (at - range.first), found, step.end - at);
    }
    return 0;
}
