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

/* The argument of experimental.arenas_create_ext. */
struct jemalloc_arena_config {
    extent_hooks_t *extent_hooks;
    bool metadata_use_hooks;
};

void je_jemalloc_prefork(void);
void je_jemalloc_postfork_parent(void);
void je_jemalloc_postfork_child(void);

/* Arenas by their number. */
struct jemalloc_arena;
extern struct jemalloc_arena *_Atomic je_arenas[];

/* Adds up the pages of an arena that are active, dirty and muzzy. Takes no locks. */
void je_arena_basic_stats_merge(void *no_thread, struct jemalloc_arena *arena, unsigned *threads,
                                const char **dss, ssize_t *dirty_decay_ms, ssize_t *muzzy_decay_ms,
                                size_t *active, size_t *dirty, size_t *muzzy);

#endif
