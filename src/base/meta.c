/* SPDX-License-Identifier: MIT */
/*
 * Reservations straight from the kernel. Huge pages are refused for them: the budget charges the
 * pages that are touched, and one touched byte of sparse metadata must not cost 2 MiB.
 */
#include "base/meta.h"

#include "base/sys.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic int64_t at_first;
static _Atomic int64_t *charged = &at_first;

static void *reserve(size_t size, int sharing)
{
    long address = sys_call(SYS_mmap, 0, align_up(size, PAGE_SIZE), PROT_READ | PROT_WRITE,
                            sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (address < 0 && address > -4096)
        return NULL;
    sys_call(SYS_madvise, address, align_up(size, PAGE_SIZE), MADV_NOHUGEPAGE);
    /* A core dump would walk all of it. */
    sys_call(SYS_madvise, address, align_up(size, PAGE_SIZE), MADV_DONTDUMP);
    return (void *)address;
}

void *meta_reserve(size_t size)
{
    return reserve(size, MAP_PRIVATE);
}

void *meta_reserve_shared(size_t size)
{
    return reserve(size, MAP_SHARED);
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
