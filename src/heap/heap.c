/* SPDX-License-Identifier: MIT */
/*
 * The heap is a private copy of jemalloc 5.3 with a few arenas whose extents come from the engine
 * (hooks.c). jemalloc's own memory, the thread caches and what is allocated before heap_start()
 * (its arena 0) lie outside the window and are charged as metadata (backing.c).
 *
 * Arenas. One per processor that the program may use; threads are bound in turn when they first
 * allocate. They must not be jemalloc's automatic arenas: those put their metadata through the same
 * hooks, and a new thread would pick arena 0 as often as any other.
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
 * Locks: none. heap_epoch is raised to make every thread look once.
 */
#include "heap/heap.h"

#include "heap/backing.h"
#include "heap/hooks.h"
#include "heap/keep.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

/*
 * jemalloc's configuration; the weak symbol in the private copy is empty. Slabs of small blocks
 * have at least four pages, where jemalloc would take one to three: a descriptor of 128 bytes for
 * each page is 3 % of metadata that cannot leave memory, and free slabs that are this large are
 * merged at once.
 */
const char *je_malloc_conf =
    "narenas:1,dss:disabled,percpu_arena:disabled,retain:true,metadata_thp:disabled,"
    "dirty_decay_ms:10000,muzzy_decay_ms:0,"
    "slab_sizes:16-64:4|96-96:6|128-128:4|192-192:6|256-256:4|384-384:6|512-512:4|768-768:6|"
    "1024-1024:4|1536-1536:6|2048-2048:4|3072-3072:6|4096-4096:4|6144-6144:6|8192-8192:4|"
    "12288-12288:6";

_Atomic unsigned heap_epoch;
__thread unsigned heap_attended;

__thread bool heap_bound;

static unsigned arenas[HEAP_MAX_ARENAS];
static unsigned arena_count;
static _Atomic unsigned next_arena;
static size_t thread_arena_mib[2];

static unsigned processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set))
        return 1;
    return (unsigned)min_u64((uint64_t)CPU_COUNT(&set), HEAP_MAX_ARENAS);
}

static int make_arena(unsigned *index)
{
    struct jemalloc_arena_config config = {.extent_hooks = &hooks_extent,
                                           .metadata_use_hooks = false};
    size_t size = sizeof(*index);

    return je_mallctl("experimental.arenas_create_ext", index, &size, &config, sizeof(config))
               ? -ENOMEM
               : 0;
}

static void bind_thread(void)
{
    unsigned turn = atomic_fetch_add_explicit(&next_arena, 1, memory_order_relaxed);
    unsigned arena = arenas[turn % arena_count];

    heap_bound = je_mallctlbymib(thread_arena_mib, array_size(thread_arena_mib), NULL, NULL, &arena,
                                 sizeof(arena)) == 0;
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
    keep_fork_child();
    backing_fork_child();
}

int heap_start(void)
{
    size_t depth = array_size(thread_arena_mib);
    unsigned count = processors();

    if (je_mallctlnametomib("thread.arena", thread_arena_mib, &depth))
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        int error = make_arena(&arenas[i]);
        if (error)
            return error;
    }
    arena_count = count;
    keep_start(arenas[0], count);
    atomic_store(&heap_epoch, 1);
    return 0;
}
