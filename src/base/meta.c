/* SPDX-License-Identifier: MIT */
/*
 * Reservations straight from the kernel. Huge pages are refused for them: the budget charges the
 * pages that are touched, and one touched byte of sparse metadata must not cost 2 MiB.
 *
 * A process makes some forty of them when it starts. So what is private comes from one range, one
 * behind the other, as long as that lasts: one mapping instead of forty, and fewer page tables.
 * What is given back is unmapped, and its addresses are not used again.
 */
#include "base/meta.h"

#include "base/sys.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic int64_t at_first;
static _Atomic int64_t *charged = &at_first;

static void *map(size_t size, int sharing)
{
    long address = sys_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                            sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (address < 0 && address > -4096)
        return NULL;
    sys_call(SYS_madvise, address, size, MADV_NOHUGEPAGE);
    /* A core dump would walk all of it. */
    sys_call(SYS_madvise, address, size, MADV_DONTDUMP);
    return (void *)address;
}

#define RANGE_SIZE   (2 * TIB)
#define RANGE_ABSENT 1 /* a limit on address space forbids it */

static _Atomic uintptr_t range_base; /* 0: nobody has asked for it yet */
static _Atomic uint64_t range_used;

static uintptr_t make_range(void)
{
    uintptr_t range = (uintptr_t)map(RANGE_SIZE, MAP_PRIVATE);
    uintptr_t before = 0;

    if (!range)
        range = RANGE_ABSENT;
    if (atomic_compare_exchange_strong(&range_base, &before, range))
        return range;
    if (range != RANGE_ABSENT)
        meta_release((void *)range, RANGE_SIZE); /* another thread was faster */
    return before;
}

static void *take_of_range(uint64_t size)
{
    uintptr_t base = atomic_load(&range_base);
    uint64_t used = atomic_load(&range_used);

    if (!base)
        base = make_range();
    if (base == RANGE_ABSENT)
        return NULL;
    do {
        if (size > RANGE_SIZE - used)
            return NULL;
    } while (!atomic_compare_exchange_weak(&range_used, &used, used + size));
    return (void *)(base + used);
}

void *meta_reserve(size_t size)
{
    size_t whole = align_up(size, PAGE_SIZE);
    void *taken = whole ? take_of_range(whole) : NULL;

    return taken ? taken : map(whole, MAP_PRIVATE);
}

void *meta_reserve_shared(size_t size)
{
    return map(align_up(size, PAGE_SIZE), MAP_SHARED);
}

void meta_trim(void *address, size_t size)
{
    uintptr_t first = align_up((uintptr_t)address, PAGE_SIZE);
    uintptr_t end = align_down((uintptr_t)address + size, PAGE_SIZE);

    /* DONTNEED alone leaves the pages of shared memory where they are; REMOVE refuses private
     * memory. */
    if (first < end && sys_call(SYS_madvise, first, end - first, MADV_REMOVE) < 0)
        sys_call(SYS_madvise, first, end - first, MADV_DONTNEED);
}

void meta_release(void *address, size_t size)
{
    if (address)
        sys_call(SYS_munmap, address, align_up(size, PAGE_SIZE));
}

const char *meta_keep_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = meta_reserve(size);

    if (copy) {
        memcpy(copy, text, size);
        meta_charge((int64_t)align_up(size, PAGE_SIZE));
    }
    return copy;
}

void meta_charge(int64_t bytes)
{
    atomic_fetch_add_explicit(charged, bytes, memory_order_relaxed);
}

void meta_charge_once(_Atomic uint64_t *done, int area, int64_t bytes)
{
    uint64_t bit = UINT64_C(1) << area;

    if (likely(atomic_load_explicit(done, memory_order_relaxed) & bit))
        return;
    if (!(atomic_fetch_or(done, bit) & bit))
        meta_charge(bytes);
}

uint64_t meta_charged(void)
{
    int64_t bytes = atomic_load_explicit(charged, memory_order_relaxed);

    return bytes > 0 ? (uint64_t)bytes : 0;
}

void meta_count_at(_Atomic int64_t *place)
{
    atomic_store(place, atomic_load(charged));
    charged = place;
}
