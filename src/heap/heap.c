/* SPDX-License-Identifier: MIT */
/*
 * The heap is a private copy of jemalloc 5.3 with a few arenas whose extents come from the engine
 * (hooks.c). jemalloc's own memory, the thread caches and what is allocated before heap_start()
 * (its arena 0) lie outside the window and are charged as metadata (backing.c).
 *
 * Arenas. One per processor that the program may use, made as threads come; these are bound in turn
 * when they first allocate. They must not be jemalloc's automatic arenas: those put their metadata
 * through the same hooks, and a new thread would pick arena 0 as often as any other.
 *
 * Freed memory is kept for reuse or given back as keep.c decides.
 *
 * Why no jemalloc lock is ever held while window memory is touched (checked against the source of
 * 5.3.0; a thread that faults with such a lock would make others wait for IO):
 *   - Extent descriptors, bitmaps, trees and thread caches hold all there is to know of a block.
 *     Nothing is written into free blocks: no junk, no guards, no use-after-free detection.
 *   - Extents are cleared for calloc after the locks are dropped, but for those taken from the
 *     retained ones, under the lock of growth. These are always zero already, see hooks.c.
 *   - realloc copies between two blocks that the thread owns, without locks.
 *   - Thread caches, arenas and tables are allocated from arena 0 or from the base allocator.
 * And the fault handler calls no function of the heap. So a fault never waits for jemalloc, and a
 * signal handler that interrupts malloc may touch any memory.
 *
 * Locks: none. heap_epoch is raised to make every thread look once, and one thread at a time makes
 * an arena, while others take one that is there.
 */
#include "heap/heap.h"

#include "base/thread.h"
#include "heap/backing.h"
#include "heap/hooks.h"
#include "heap/keep.h"

#include <errno.h>
#include <unistd.h>

/*
 * jemalloc's configuration; the weak symbol in the private copy is empty. Slabs of small blocks
 * have at least four pages, where jemalloc would take one to three: a descriptor of 128 bytes for
 * each page is 3 % of metadata that cannot leave memory, and free slabs that are this large are
 * merged at once.
 */
const char *je_malloc_conf =
    "narenas:1,dss:disabled,percpu_arena:disabled,retain:true,metadata_thp:disabled,"
    "oversize_threshold:0,dirty_decay_ms:10000,muzzy_decay_ms:0,"
    "slab_sizes:16-64:4|96-96:6|128-128:4|192-192:6|256-256:4|384-384:6|512-512:4|768-768:6|"
    "1024-1024:4|1536-1536:6|2048-2048:4|3072-3072:6|4096-4096:4|6144-6144:6|8192-8192:4|"
    "12288-12288:6";

_Atomic unsigned heap_epoch;
__thread unsigned heap_attended;

__thread bool heap_bound;

/* jemalloc's own arena is 0. */
#define FIRST_ARENA 1

static unsigned arenas_wanted;
static _Atomic unsigned arenas_made;
static atomic_flag making = ATOMIC_FLAG_INIT;
static _Atomic unsigned next_arena;

/* What jemalloc has of this thread. It prepares that when it first allocates. */
static struct jemalloc_thread *prepared_thread(void)
{
    int flags = MALLOCX_ARENA(0) | MALLOCX_TCACHE_NONE;
    void *block = je_mallocx(1, flags);

    if (block)
        je_dallocx(block, flags);
    return &je_tsd_tls;
}

static struct jemalloc_arena_config config = {.extent_hooks = &hooks_extent,
                                              .metadata_use_hooks = false};

/* One more. By mallctl(), which counts arenas when it is first called, and then those that it has
 * made. */
static void make_arena(void)
{
    unsigned made = atomic_load(&arenas_made);
    unsigned number;
    size_t size = sizeof(number);

    if (je_mallctl("experimental.arenas_create_ext", &number, &size, &config, sizeof(config)))
        return;
    atomic_store(&arenas_made, made + 1);
    keep_arenas(made + 1);
}

/* The number of an arena of the window. When another thread is making one, one that is there will
 * do. */
static unsigned choose_arena(void)
{
    unsigned turn = atomic_fetch_add_explicit(&next_arena, 1, memory_order_relaxed);

    if (turn >= atomic_load(&arenas_made) && !atomic_flag_test_and_set(&making)) {
        if (atomic_load(&arenas_made) < arenas_wanted)
            make_arena();
        atomic_flag_clear(&making);
    }
    return FIRST_ARENA + turn % atomic_load(&arenas_made);
}

static void bind_thread(void)
{
    struct jemalloc_thread *thread = prepared_thread();

    je_arena_migrate(thread, je_arenas[0], je_arenas[choose_arena()]);
    heap_bound = true;
}

void heap_attend(void)
{
    unsigned epoch = atomic_load(&heap_epoch);
    int saved = errno;

    if (!heap_bound)
        bind_thread();
    if (keep_follow())
        heap_attended = epoch;
    errno = saved;
}

void heap_purge(void)
{
    je_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    je_mallctl("arena." HEAP_ALL_ARENAS ".purge", NULL, NULL, NULL, 0);
    backing_charge();
}

void *heap_unswapped(size_t size)
{
    return je_mallocx(size, MALLOCX_ARENA(0) | MALLOCX_TCACHE_NONE | MALLOCX_ZERO);
}

void heap_fork_child(void)
{
    atomic_flag_clear(&making);
    keep_fork_child();
    backing_fork_child();
}

int heap_start(void)
{
    arenas_wanted = (unsigned)min_u64(thread_processors(), HEAP_MAX_ARENAS);
    if (!je_arena_init(prepared_thread(), FIRST_ARENA, &config))
        return -ENOMEM;
    atomic_store(&arenas_made, 1);
    keep_start(FIRST_ARENA);
    atomic_store(&heap_epoch, 1);
    return 0;
}
