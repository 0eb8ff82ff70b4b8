/* SPDX-License-Identifier: MIT */
/*
 * mremap(). Inside the window content moves without IO and without a copy: an evicted page's slot
 * and a masked page's frame get another object, a resident page is moved by the page mask. Only
 * memory that the program wants at an address outside the window is copied, because there it is
 * the kernel's; and what was the kernel's before stays its own when it comes into the window.
 *
 * As in the kernel, what is moved or grown must be one mapping: all of it mapped, with one
 * protection.
 */
#include "arena/arena.h"
#include "arena/commit.h"
#include "arena/pin.h"
#include "arena/remap.h"
#include "base/msg.h"
#include "base/sys.h"
#include "heap/map/map.h"
#include "heap/map/map_piece.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct move {
    uintptr_t address;
    size_t old_size; /* whole pages, as new_size */
    size_t new_size;
    unsigned flags;
    uintptr_t wish; /* with MREMAP_FIXED */
};

static uint64_t pages_of(size_t size)
{
    return size >> PAGE_SHIFT;
}

static long address_of(struct map_range range)
{
    return (long)page_address((object_t)range.first);
}

/* ---- The old range ---- */

enum kind { KIND_OURS, KIND_FOREIGN, KIND_NONE };

static enum kind kind_of(struct map_range old)
{
    struct map_piece first = map_piece(old.first, old);
    traits_t same = TRAITS_PROTECTION | TRAIT_FOREIGN;

    MAP_EACH(piece, old)
    {
        if (!piece.region || (piece.traits ^ first.traits) & same)
            return KIND_NONE;
    }
    return first.pages && map_is_foreign(&first) ? KIND_FOREIGN : KIND_OURS;
}

static traits_t last_traits(struct map_range range)
{
    traits_t traits = 0;

    MAP_EACH(piece, range)
    traits = piece.traits;
    return traits & ~(traits_t)TRAIT_LOCKED;
}

static int unmap_tail(struct map_range *range, uint64_t pages)
{
    struct map_range tail = {range->first + pages, range->end};
    int error = tail.first < tail.end ? map_unmap_pages(tail) : 0;

    range->end = tail.first < tail.end ? tail.first : range->end;
    return error;
}

/* ---- Growing where it is ---- */

static bool can_grow(struct map_range growth)
{
    return growth.end <= (uint64_t)1 << (window.shift - PAGE_SHIFT) && map_is_free(growth);
}

static int grow(struct map_range growth, traits_t traits)
{
    uint64_t charge = traits & TRAIT_CHARGED ? (growth.end - growth.first) << PAGE_SHIFT : 0;
    int error = charge ? commit_take(charge) : 0;

    if (error)
        return error;
    error = map_renew(growth, traits);
    if (error && charge)
        commit_give(charge);
    return error;
}

/* ---- Moving within the window ---- */

static object_t target_of(const struct map_piece *piece, struct map_range old, struct map_range new)
{
    return (object_t)(new.first + (piece->first - old.first));
}

/* Move the content of the pieces before `end`. */
static int move_content(struct map_range old, struct map_range new, uint64_t end, uint64_t *done)
{
    int error = 0;

    *done = old.first;
    MAP_EACH(piece, ((struct map_range){old.first, end}))
    {
        if (!error)
            error = remap_pages(piece.first, target_of(&piece, old, new), piece.pages);
        if (!error)
            *done = (uint64_t)piece.first + piece.pages;
    }
    return error;
}

static int move_back(struct map_range old, struct map_range new, uint64_t end)
{
    int error = 0;

    MAP_EACH(piece, ((struct map_range){old.first, end}))
    {
        if (!error)
            error = remap_pages(target_of(&piece, old, new), piece.first, piece.pages);
    }
    return error;
}

/* A piece that was locked is so at its new place, unless too much is locked by then. */
static traits_t lock_again(traits_t traits, object_t first, uint32_t pages)
{
    if (traits & TRAIT_LOCKED && pin_locked(first, first + (pages - 1)))
        traits &= ~(traits_t)TRAIT_LOCKED;
    return traits;
}

/* The traits go with the content; what of the old range stays is committed anew by the caller. */
static int move_traits(struct map_range old, struct map_range new, bool keep)
{
    traits_t last = last_traits(old);
    uint64_t old_pages = old.end - old.first;
    struct map_range growth = {new.first + old_pages, new.end};
    int error = last & TRAITS_PROTECTION ? map_protect(new, last) : 0;

    if (growth.first < growth.end)
        map_note(growth, last);
    MAP_EACH(piece, old)
    {
        object_t to = target_of(&piece, old, new);
        struct map_range at = {to, (uint64_t)to + piece.pages};
        struct map_range from = {piece.first, (uint64_t)piece.first + piece.pages};
        traits_t gone = keep ? TRAIT_LOCKED : TRAIT_LOCKED | TRAIT_CHARGED;
        if (piece.traits & TRAIT_LOCKED)
            arena_unpin(map_address(&piece), map_bytes(&piece));
        map_note(at, lock_again(piece.traits, to, piece.pages));
        map_note(from, piece.traits & ~gone);
    }
    return error;
}

/* Mapped and empty. */
static int make_target(const struct move *move, struct map_range *new)
{
    uint64_t pages = pages_of(move->new_size);
    object_t first;
    int error;

    if (move->flags & MREMAP_FIXED) {
        uint64_t charged = map_charged(*new);
        error = map_renew(*new, 0);
        if (!error && charged)
            commit_give(charged);
        return error;
    }
    error = region_make_loose(pages, "mmap", &first);
    if (error)
        return error;
    *new = (struct map_range){first, first + pages};
    map_note(*new, 0);
    return 0;
}

static uint64_t bytes_to_commit(const struct move *move, struct map_range old)
{
    uint64_t bytes = last_traits(old) & TRAIT_CHARGED ? move->new_size - move->old_size : 0;

    return bytes + (move->flags & MREMAP_DONTUNMAP ? map_charged(old) : 0);
}

static long move_within(const struct move *move, struct map_range old, struct map_range new)
{
    uint64_t charge = bytes_to_commit(move, old), done = old.first;
    bool keep = move->flags & MREMAP_DONTUNMAP;
    int error = charge ? commit_take(charge) : 0;

    if (error)
        return error;
    error = make_target(move, &new);
    if (!error) {
        error = move_content(old, new, old.end, &done);
        if (error && (move_back(old, new, done) || map_unmap_pages(new)))
            msg_error("memory at %p cannot be moved back", page_address((object_t)old.first));
    }
    if (error) {
        commit_give(charge);
        return -ENOMEM;
    }
    error = move_traits(old, new, keep);
    if (!keep && map_unmap_pages(old))
        error = -ENOMEM;
    return error ? error : address_of(new);
}

/* ---- Between window and kernel ---- */

/* The content becomes the kernel's, at an address of the program's choice. Nothing is held while
 * the window is touched. */
static long move_out(const struct move *move)
{
    size_t size = min_u64(move->old_size, move->new_size);
    traits_t traits = traits_of(page_of((void *)move->address));
    int protection = map_protection_of(traits);
    long made = sys_call(SYS_mmap, move->wish, move->new_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    long error = made < 0 && made > -4096 ? made : 0;

    if (!error && traits & TRAIT_NO_READ)
        error = map_mprotect(move->address, move->old_size, PROT_READ, -1);
    if (error)
        return error;
    memcpy((void *)made, (const void *)move->address, size);
    if (protection != (PROT_READ | PROT_WRITE))
        error = sys_call(SYS_mprotect, made, move->new_size, protection);
    if (!error && move->flags & MREMAP_DONTUNMAP)
        error = map_madvise(move->address, move->old_size, MADV_DONTNEED_LOCKED);
    else if (!error)
        error = map_munmap(move->address, move->old_size);
    return error ? error : made;
}

/* Another mapping of the kernel than the window: it stays one, wherever it goes. */
static long move_foreign(const struct move *move, const struct map_range *old,
                         const struct map_range *new)
{
    unsigned flags = MREMAP_MAYMOVE | (move->flags & MREMAP_DONTUNMAP);
    long made = move->flags & MREMAP_FIXED && !new
                    ? sys_call(SYS_mremap, move->address, move->old_size, move->new_size,
                               move->flags, move->wish)
                    : sys_call(SYS_mremap, move->address, move->old_size, move->new_size, flags, 0);
    int error = 0;

    if (made < 0 && made > -4096)
        return made;
    if (old && !(flags & MREMAP_DONTUNMAP))
        error = map_unmap_pages(*old);
    if (!new || error)
        return error ? error : made;
    error = map_place_foreign(*new, (uintptr_t)made);
    return error ? error : (long)move->wish;
}

/* ---- The call ---- */

static long move_ours(const struct move *move, struct map_range old, const struct map_range *new)
{
    struct map_range growth = {old.end, old.first + pages_of(move->new_size)};

    if (!(move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
        if (move->new_size == move->old_size)
            return (long)move->address;
        if (can_grow(growth))
            return grow(growth, last_traits(old)) ? -ENOMEM : (long)move->address;
    }
    if (!(move->flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    return move_within(move, old, new ? *new : (struct map_range){0, 0});
}

/* Inside, the old range being in the window. */
static long serve_inside(struct move *move, struct map_range old, const struct map_range *new)
{
    enum kind kind;

    if (move->new_size < move->old_size) {
        if (unmap_tail(&old, pages_of(move->new_size)))
            return -ENOMEM;
        move->old_size = move->new_size;
        if (!(move->flags & MREMAP_FIXED))
            return (long)move->address;
    }
    kind = kind_of(old);
    if (kind == KIND_NONE)
        return -EFAULT;
    if (kind == KIND_OURS)
        return move_ours(move, old, new);
    if (move->new_size == move->old_size && !(move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
        return (long)move->address;
    return move->flags & MREMAP_MAYMOVE ? move_foreign(move, &old, new) : -ENOMEM;
}

static bool overlap(const struct move *move)
{
    return move->wish < move->address + move->old_size &&
           move->address < move->wish + move->new_size;
}

static int check(const struct move *move)
{
    bool fixed = move->flags & MREMAP_FIXED, keep = move->flags & MREMAP_DONTUNMAP;

    if (move->flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
        ((fixed || keep) && !(move->flags & MREMAP_MAYMOVE)) ||
        (keep && move->old_size != move->new_size) || move->address % PAGE_SIZE ||
        !move->new_size || !move->old_size)
        return -EINVAL;
    return fixed && (move->wish % PAGE_SIZE || overlap(move)) ? -EINVAL : 0;
}

static long serve(struct move *move, enum map_place old_place, struct map_range old)
{
    bool fixed = move->flags & MREMAP_FIXED;
    struct map_range new;
    enum map_place place = fixed ? map_place(move->wish, move->new_size, &new) : MAP_OUTSIDE;
    struct inside inside;
    enum kind kind;
    long result;

    if (old_place == MAP_ACROSS)
        return -EFAULT;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    inside = map_enter();
    kind = old_place == MAP_INSIDE ? kind_of(old) : KIND_FOREIGN;
    if (fixed && place == MAP_OUTSIDE && kind == KIND_OURS) {
        map_leave(inside);
        return move_out(move);
    }
    result = old_place == MAP_INSIDE ? serve_inside(move, old, place == MAP_INSIDE ? &new : NULL)
                                     : move_foreign(move, NULL, &new);
    map_leave(inside);
    return result;
}

long map_mremap(const long arguments[5])
{
    struct move move = {(uintptr_t)arguments[0], align_up((uint64_t)arguments[1], PAGE_SIZE),
                        align_up((uint64_t)arguments[2], PAGE_SIZE), (unsigned)arguments[3],
                        (uintptr_t)arguments[4]};
    struct map_range old = {0, 0}, new;
    enum map_place old_place = map_place(move.address, max_u64(move.old_size, PAGE_SIZE), &old);
    int error;

    if (old_place == MAP_OUTSIDE &&
        (!(move.flags & MREMAP_FIXED) || map_place(move.wish, move.new_size, &new) == MAP_OUTSIDE))
        return sys_call(SYS_mremap, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4]);
    error = check(&move);
    return error ? error : serve(&move, old_place, old);
}
