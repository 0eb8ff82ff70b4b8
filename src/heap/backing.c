/* SPDX-License-Identifier: MIT */
/*
 * The private copy of jemalloc sees these functions where it calls libc:
 *
 *   - Memory for its metadata, and for what is allocated before the engine runs, comes from one
 *     reserved range, from the bottom up; jemalloc never gives any of it back. The budget is
 *     charged with what of the range is resident, counted by mincore(): tree leaves are sparse,
 *     and of a block of 2 MiB a few pages are touched.
 *   - System calls are made directly: neither errno nor the interposed functions of this library.
 *   - There is no environment, no /etc/malloc.conf and no heap profiler for it: the user's
 *     jemalloc settings are not for this copy, and libm and libgcc_s need not be loaded.
 *   - Its fork handlers are not registered: fork.c calls them, in the right order.
 *   - Its mutexes are initialised here: pthread_mutex_init() is interposed, and looks libc's up
 * with a function that allocates.
 *
 * No locks: the range grows by an atomic addition; one thread at a time counts, others skip.
 */
#include "heap/backing.h"

#include "base/base.h"
#include "base/meta.h"
#include "base/sys.h"
#include "heap/jemalloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* jemalloc asks for metadata in multiples of this, aligned to it. */
#define BLOCK (2 * MIB)

#define RANGE_MAX TIB
#define RANGE_MIN (64 * MIB)

static uintptr_t range_base;
static uint64_t range_size;
static _Atomic uint64_t range_used;

void *backing_mmap(void *hint, size_t size, int prot, int flags, int fd, long offset);
int backing_munmap(void *address, size_t size);
int backing_mprotect(void *address, size_t size, int prot);
int backing_madvise(void *address, size_t size, int advice);
void *backing_sbrk(intptr_t increment);
long backing_syscall(long number, ...);
char *backing_getenv(const char *name);
long backing_readlink(const char *path, char *buffer, size_t size);
int backing_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int backing_atexit(void (*function)(void));
int backing_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);

/* The first call is made under jemalloc's initialisation lock. A limit on address space may allow
 * only less than the usual size. */
static bool reserve_range(void)
{
    uint64_t size = RANGE_MAX;
    void *range = meta_reserve(size + BLOCK);

    while (!range && size > RANGE_MIN) {
        size /= 4;
        range = meta_reserve(size + BLOCK);
    }
    if (!range)
        return false;
    range_base = align_up((uintptr_t)range, BLOCK);
    range_size = size;
    return true;
}

void *backing_mmap(void *hint, size_t size, int prot, int flags, int fd, long offset)
{
    uint64_t unit = size >= BLOCK ? BLOCK : PAGE_SIZE;
    uint64_t from = atomic_load_explicit(&range_used, memory_order_relaxed);
    uint64_t start;

    if (hint || (!range_base && !reserve_range()))
        return MAP_FAILED;
    do {
        start = align_up(from, unit);
        if (size > range_size || start > range_size - size)
            return MAP_FAILED;
    } while (!atomic_compare_exchange_weak(&range_used, &from, start + size));
    return (void *)(range_base + start);
}

int backing_munmap(void *address, size_t size)
{
    meta_trim(address, size);
    return 0;
}

int backing_mprotect(void *address, size_t size, int prot)
{
    return sys_call(SYS_mprotect, address, size, prot) < 0 ? -1 : 0;
}

int backing_madvise(void *address, size_t size, int advice)
{
    return sys_call(SYS_madvise, address, size, advice) < 0 ? -1 : 0;
}

void *backing_sbrk(intptr_t increment)
{
    return (void *)-1;
}

long backing_syscall(long number, ...)
{
    long argument[6];
    va_list args;

    va_start(args, number);
    for (unsigned i = 0; i < array_size(argument); i++)
        argument[i] = va_arg(args, long);
    va_end(args);
    long result = sys_call6(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                            argument[5]);
    return result < 0 ? -1 : result;
}

/*
 * jemalloc asks for the environment while it reads its configuration, of which 5.3.0 does not know
 * this option: without it blocks of 16 KiB and more begin anywhere in a page, have a page more, and
 * what a program keeps in them page by page lies in two.
 */
char *backing_getenv(const char *name)
{
    je_opt_cache_oblivious = false;
    return NULL;
}

long backing_readlink(const char *path, char *buffer, size_t size)
{
    return -1;
}

int backing_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return 0;
}

int backing_atexit(void (*function)(void))
{
    return 0;
}

/* Of the one kind that jemalloc asks for. */
int backing_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    *mutex = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    return 0;
}

/* Functions of the heap profiler and of background threads, both off: never called. */
#define ABSENT(name)                                                                               \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        __builtin_trap();                                                                          \
    }
ABSENT(backing_dlsym)
ABSENT(backing_log)
ABSENT(backing_exp)
ABSENT(backing_round)
ABSENT(backing_unwind_backtrace)
ABSENT(backing_unwind_ip)

/* Resident pages of the first used bytes of the range. */
static uint64_t count_resident(uint64_t used)
{
    unsigned char resident[1024];
    uint64_t step = array_size(resident) * PAGE_SIZE;
    uint64_t pages = 0;

    for (uint64_t done = 0; done < used; done += step) {
        uint64_t size = min_u64(step, used - done);

        if (sys_call(SYS_mincore, range_base + done, size, resident) < 0)
            continue;
        for (uint64_t i = 0; i < align_up(size, PAGE_SIZE) / PAGE_SIZE; i++)
            pages += resident[i] & 1;
    }
    return pages;
}

static atomic_flag counting = ATOMIC_FLAG_INIT;

void backing_charge(void)
{
    static uint64_t charged; /* by the thread that is counting */

    if (atomic_flag_test_and_set(&counting))
        return;
    uint64_t bytes = count_resident(atomic_load(&range_used)) * PAGE_SIZE;
    meta_charge((int64_t)(bytes - charged));
    charged = bytes;
    atomic_flag_clear(&counting);
}

void backing_fork_child(void)
{
    atomic_flag_clear(&counting);
}
