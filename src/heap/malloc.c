/* SPDX-License-Identifier: MIT */
/*
 * The malloc family as glibc 2.36 defines it, on jemalloc's private copy.
 *
 * Where the two differ glibc wins: every block is aligned to 16 bytes (jemalloc aligns blocks of
 * at most 8 bytes to 8); realloc(p, 0) frees; memalign and aligned_alloc round a strange alignment
 * up.
 *
 * The common path of malloc and free is one comparison (heap_settled()) and a call of jemalloc. A
 * thread that has not been bound to an arena, or has to take note of a change, first goes through
 * heap_attend(). When there is no memory, what is free but kept is given back and the request is
 * tried once more.
 */
#include "heap/buffers.h"
#include "heap/heap.h"
#include "heap/jemalloc.h"
#include "heap/libc.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc's alignment of all blocks, and so the smallest size asked of jemalloc. */
#define QUANTUM ((size_t)16)

static inline size_t at_least_quantum(size_t size)
{
    return size < QUANTUM ? QUANTUM : size;
}

static inline void settle(void)
{
    if (unlikely(!heap_settled()))
        heap_attend();
}

static __attribute__((noinline, cold)) void *malloc_again(size_t size)
{
    heap_purge();
    return je_malloc(size);
}

static inline void *allocate(size_t size)
{
    size = at_least_quantum(size);
    settle();
    void *block = je_malloc(size);
    return likely(block) ? block : malloc_again(size);
}

exported void *malloc(size_t size)
{
    void *block = NULL;

    if (unlikely(size >= BUFFERS_STREAM))
        block = buffers_take(size, __builtin_return_address(0));
    return likely(!block) ? allocate(size) : block;
}

/* libc calls this in a thread whose thread-specific data are gone already. One that never allocated
 * must not be bound then: nobody would unbind it, and jemalloc would keep a list through its stack.
 */
exported void free(void *block)
{
    if (buffers_has(block)) {
        buffers_put(block);
        return;
    }
    if (unlikely(!heap_settled()) && heap_bound)
        heap_attend();
    je_free(block);
}

exported void *calloc(size_t count, size_t size)
{
    size_t total;

    if (unlikely(__builtin_mul_overflow(count, size, &total))) {
        errno = ENOMEM;
        return NULL;
    }
    settle();
    if (unlikely(libc_is_thread_values(count, size, __builtin_return_address(0))))
        return heap_unswapped(total);
    total = at_least_quantum(total);
    void *block = je_calloc(1, total);
    if (unlikely(!block)) {
        heap_purge();
        block = je_calloc(1, total);
    }
    return block;
}

static void *move_out_of_buffers(void *block, size_t size)
{
    void *moved = allocate(size);

    if (!moved)
        return NULL;
    memcpy(moved, block, min_u64(size, buffers_size(block)));
    buffers_put(block);
    return moved;
}

exported void *realloc(void *block, size_t size)
{
    if (unlikely(!block))
        return allocate(size);
    if (unlikely(size == 0)) {
        free(block);
        return NULL;
    }
    if (buffers_has(block))
        return move_out_of_buffers(block, size);
    settle();
    size = at_least_quantum(size);
    void *moved = je_realloc(block, size);
    if (unlikely(!moved)) {
        heap_purge();
        moved = je_realloc(block, size);
    }
    if (unlikely(!moved))
        errno = ENOMEM;
    return moved;
}

exported void *reallocarray(void *block, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}

/* alignment is a power of two, at least QUANTUM. */
static void *allocate_aligned(size_t alignment, size_t size)
{
    settle();
    void *block = je_memalign(alignment, at_least_quantum(size));
    if (!block) {
        heap_purge();
        block = je_memalign(alignment, at_least_quantum(size));
    }
    if (!block)
        errno = ENOMEM;
    return block;
}

exported void *memalign(size_t alignment, size_t size)
{
    size_t power = QUANTUM;

    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (power < alignment)
        power *= 2;
    return power == QUANTUM ? allocate(size) : allocate_aligned(power, size);
}

exported void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

exported int posix_memalign(void **block, size_t alignment, size_t size)
{
    int saved = errno;

    if (alignment % sizeof(void *) || !is_power_of_two(alignment))
        return EINVAL;
    void *made = memalign(alignment, size);
    if (!made)
        return ENOMEM;
    errno = saved;
    *block = made;
    return 0;
}

exported void *valloc(size_t size)
{
    return memalign(PAGE_SIZE, size);
}

exported void *pvalloc(size_t size)
{
    if (size > SIZE_MAX - PAGE_SIZE) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(PAGE_SIZE, align_up(size, PAGE_SIZE));
}

exported size_t malloc_usable_size(void *block)
{
    return buffers_has(block) ? buffers_size(block) : je_malloc_usable_size(block);
}

/* glibc exports its own functions under these names too, and programs exist that call them. */
#define ALIAS(name, original) exported __typeof__(original) name same_as(original)
ALIAS(cfree, free);
ALIAS(__libc_malloc, malloc);
ALIAS(__libc_free, free);
ALIAS(__libc_calloc, calloc);
ALIAS(__libc_realloc, realloc);
ALIAS(__libc_memalign, memalign);
ALIAS(__libc_valloc, valloc);
ALIAS(__libc_pvalloc, pvalloc);
ALIAS(__posix_memalign, posix_memalign);
