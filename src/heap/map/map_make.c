/* SPDX-License-Identifier: MIT */
/*
 * mmap() and munmap().
 *
 * From the engine comes what is private, anonymous, not executable, large enough, and asked for
 * without a flag that says otherwise (a stack, locked, huge pages, the first 2 GiB). An address
 * that is only a hint is not followed, as the kernel need not: runtimes place their heaps by hints.
 * But a hint in the part of the address space where Linux puts programs and libraries asks for
 * memory near code, and goes to the kernel.
 *
 * Writable memory is committed, unless MAP_NORESERVE says not to: then touching more than budget
 * and stores can hold may exceed the budget. Memory that is not writable is a reservation: it costs
 * addresses only, until mprotect() or another mmap() makes it writable.
 *
 * MAP_FIXED inside the window: private anonymous memory takes the place of what was there; any
 * other mapping is made by the kernel, and the engine does without these pages as long as it is
 * there. It is made elsewhere first: if that fails nothing has changed.
 */
#include "arena/advise.h"
#include "arena/commit.h"
#include "base/mman.h"
#include "base/sys.h"
#include "heap/map/map.h"
#include "heap/map/map_piece.h"
#include "heap/map/map_runtime.h"

#include <errno.h>

#ifndef MAP_UNINITIALIZED
#define MAP_UNINITIALIZED 0x4000000
#endif

#define FIXED ((unsigned)(MAP_FIXED | MAP_FIXED_NOREPLACE))

/* Flags that the engine's memory can do justice to; those of the second line mean nothing. */
#define OUR_FLAGS                                                                                  \
    (FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK |           \
     MAP_DENYWRITE | MAP_EXECUTABLE | MAP_FILE)

/* Hints from here on are near the program, its libraries or its stack. */
#define NEAR_CODE ((uintptr_t)1 << 46)

static uint64_t threshold = UINT64_MAX;

void map_start(uint64_t bytes)
{
    threshold = map_runtime_is_go() ? UINT64_MAX : bytes;
}

struct request {
    uintptr_t address;
    size_t size; /* whole pages */
    int protection;
    unsigned flags;
};

static bool is_ours(const struct request *request)
{
    return (request->flags & MAP_TYPE) == MAP_PRIVATE && request->flags & MAP_ANONYMOUS &&
           !(request->flags & ~(unsigned)OUR_FLAGS) &&
           !(request->protection & ~(PROT_READ | PROT_WRITE));
}

static traits_t wanted_traits(const struct request *request)
{
    traits_t traits = map_traits_of(request->protection);

    if (traits & TRAIT_NO_WRITE)
        return traits | TRAIT_RESERVED;
    return request->flags & MAP_NORESERVE ? traits : traits | TRAIT_CHARGED;
}

static uint64_t charge_of(traits_t traits, size_t size)
{
    return traits & TRAIT_CHARGED ? size : 0;
}

static void populate(const struct request *request, struct map_range range)
{
    if (request->flags & MAP_POPULATE && request->protection &&
        advise_will_need((object_t)range.first, (uint32_t)(range.end - range.first)))
        return; /* it need not succeed */
}

/* ---- Anywhere ---- */

static int make(const struct request *request, struct map_range *range)
{
    traits_t traits = wanted_traits(request);
    uint64_t pages = request->size >> PAGE_SHIFT;
    object_t first = 0;
    int error = region_make_loose(pages, "mmap", &first);

    *range = (struct map_range){first, first + pages};
    if (error)
        return error;
    map_note(*range, traits);
    if (traits & TRAITS_PROTECTION)
        error = map_protect(*range, traits);
    if (error) {
        map_note(*range, traits & ~(traits_t)TRAIT_CHARGED);
        return map_unmap_pages(*range) ? -ENOMEM : error;
    }
    return 0;
}

static long map_anywhere(const struct request *request)
{
    uint64_t charge = charge_of(wanted_traits(request), request->size);
    struct map_range range;
    struct inside inside;
    int error = charge ? commit_take(charge) : 0;

    if (error)
        return error;
    inside = map_enter();
    error = make(request, &range);
    map_leave(inside);
    if (error && charge)
        commit_give(charge);
    if (error)
        return error;
    inside = inside_enter();
    populate(request, range);
    inside_leave(inside);
    return (long)page_address((object_t)range.first);
}

/* ---- At an address in the window ---- */

static int renew(const struct request *request, struct map_range range)
{
    traits_t traits = wanted_traits(request);
    uint64_t before = map_charged(range), after = charge_of(traits, request->size);
    int error = after > before ? commit_take(after - before) : 0;

    if (error)
        return error;
    error = map_renew(range, traits);
    if (before > after)
        commit_give(before - after);
    if (!error)
        populate(request, range);
    return error;
}

static long map_at(const struct request *request, struct map_range range)
{
    struct inside inside = map_enter();
    int error = 0;

    if (request->flags & MAP_FIXED_NOREPLACE && !map_is_free(range))
        error = -EEXIST;
    if (!error)
        error = renew(request, range);
    map_leave(inside);
    return error ? error : (long)request->address;
}

static long map_foreign_at(const struct request *request, struct map_range range, int fd,
                           long offset)
{
    long made = sys_call(SYS_mmap, 0, request->size, request->protection, request->flags & ~FIXED,
                         fd, offset);
    struct inside inside;
    int error = 0;

    if (made < 0 && made > -4096)
        return made;
    inside = map_enter();
    if (request->flags & MAP_FIXED_NOREPLACE && !map_is_free(range))
        error = -EEXIST;
    if (!error)
        error = map_place_foreign(range, (uintptr_t)made);
    map_leave(inside);
    if (error)
        sys_call(SYS_munmap, made, request->size);
    return error ? error : (long)request->address;
}

/* ---- The calls ---- */

static bool is_for_engine(const struct request *request)
{
    return request->size >= threshold && !(request->flags & FIXED) && is_ours(request) &&
           request->address < NEAR_CODE;
}

/* What the engine has no addresses for the kernel may have, as long as it promises nothing. */
static bool is_reservation(const struct request *request)
{
    return wanted_traits(request) & TRAIT_RESERVED;
}

long map_mmap(const long arguments[6])
{
    struct request request = {(uintptr_t)arguments[0], align_up((uint64_t)arguments[1], PAGE_SIZE),
                              (int)arguments[2], (unsigned)arguments[3]};
    struct map_range range;
    enum map_place place = map_place(request.address, request.size, &range);
    bool fixed = request.flags & FIXED;

    if (is_for_engine(&request)) {
        long result = map_anywhere(&request);
        if (result != -ENOMEM || !is_reservation(&request))
            return result;
    }
    if (place == MAP_OUTSIDE || !fixed)
        return sys_call(SYS_mmap, place == MAP_OUTSIDE ? arguments[0] : 0, arguments[1],
                        arguments[2], arguments[3], arguments[4], arguments[5]);
    if (request.address % PAGE_SIZE)
        return -EINVAL;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    if (is_ours(&request))
        return map_at(&request, range);
    return map_foreign_at(&request, range, (int)arguments[4], arguments[5]);
}

long map_munmap(uintptr_t address, size_t size)
{
    size_t bytes = align_up(size, PAGE_SIZE);
    struct map_range range;
    enum map_place place = map_place(address, bytes, &range);
    struct inside inside;
    int error;

    if (place == MAP_OUTSIDE)
        return sys_call(SYS_munmap, address, size);
    if (address % PAGE_SIZE || bytes < size)
        return -EINVAL;
    if (place == MAP_ACROSS)
        return -ENOMEM;
    inside = map_enter();
    error = map_unmap_pages(range);
    map_leave(inside);
    return error;
}
