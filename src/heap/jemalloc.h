/* SPDX-License-Identifier: MIT */
/* The private copy of jemalloc, whose public functions have the prefix je_. */
#ifndef USWAP_HEAP_JEMALLOC_H
#define USWAP_HEAP_JEMALLOC_H

#include <stdbool.h>
#include <sys/types.h>

#define JEMALLOC_NO_RENAME
#include <jemalloc/jemalloc.h>

/* Not in jemalloc's header, as of the one version that this was written for. */
_Static_assert(JEMALLOC_VERSION_MAJOR == 5 && JEMALLOC_VERSION_MINOR == 3,
               "the inside of jemalloc");

/* The name for all arenas at once. */
#define HEAP_ALL_ARENAS "4096"
_Static_assert(MALLCTL_ARENAS_ALL == 4096, "HEAP_ALL_ARENAS");

/* How an arena is made. */
struct jemalloc_arena_config {
    extent_hooks_t *extent_hooks;
    bool metadata_use_hooks;
};

void je_jemalloc_prefork(void);
void je_jemalloc_postfork_parent(void);
void je_jemalloc_postfork_child(void);

/* Whether large blocks begin anywhere in a page. Read once, after the configuration. */
extern bool je_opt_cache_oblivious;

/* Arenas by their number. */
struct jemalloc_arena;
extern struct jemalloc_arena *_Atomic je_arenas[];

/* What jemalloc has of each thread; to be used when the thread has called a function of it. */
struct jemalloc_thread;
extern __thread struct jemalloc_thread je_tsd_tls __attribute__((tls_model("initial-exec")));

/* Make the arena of the next number, before mallctl() is used; NULL: no memory. And have the thread
 * allocate from another one. Without mallctl(), which takes as long to prepare itself as all else
 * of jemalloc: few programs need that. */
struct jemalloc_arena *je_arena_init(struct jemalloc_thread *thread, unsigned number,
                                     const struct jemalloc_arena_config *config);
void je_arena_migrate(struct jemalloc_thread *thread, struct jemalloc_arena *from,
                      struct jemalloc_arena *to);

/* Adds up the pages of an arena that are active, dirty and muzzy. Takes no locks. */
void je_arena_basic_stats_merge(void *no_thread, struct jemalloc_arena *arena, unsigned *threads,
                                const char **dss, ssize_t *dirty_decay_ms, ssize_t *muzzy_decay_ms,
                                size_t *active, size_t *dirty, size_t *muzzy);

#endif
