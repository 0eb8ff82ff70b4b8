/* SPDX-License-Identifier: MIT */
/*
 * The pool file: a budget shared by processes, as it lies in their shared memory. It is attached,
 * not trusted: what is not a pool file of this layout is refused.
 *
 * What is held of the pool is in two ledgers: pages that may be resident, and pages of them that
 * have been promised to a program. Everything else is hints: a wrong value costs time, no memory.
 */
#ifndef USWAP_OBJECT_POOL_FILE_H
#define USWAP_OBJECT_POOL_FILE_H

#include "object/ledger.h"

#define POOL_MEMBERS LEDGER_MEMBERS

/* The smallest and the largest budget of a pool. */
#define POOL_MINIMUM (8 * MIB)
#define POOL_MAXIMUM ((uint64_t)LEDGER_MAX << PAGE_SHIFT)

/* States of a member's place, as of a family's (store/member.c); the generation is above it. */
enum pool_place {
    POOL_FREE,
    POOL_TAKEN,
    POOL_AWAITED,
};
#define POOL_PLACE_MASK UINT64_C(3)
#define POOL_GENERATION UINT64_C(4)

struct pool_member {
    _Alignas(64) _Atomic uint64_t state;
    _Atomic uint32_t pid;
    _Atomic uint32_t share; /* pages that it always holds */
    char name[16];
    /* The eviction order: when the object that leaves next was last known to be used. */
    _Alignas(64) _Atomic uint32_t tail;
    _Atomic uint32_t tail_is_hot;
    _Atomic uint32_t used;   /* when a sample of them was last found to be used */
    _Atomic uint32_t active; /* when memory was last taken for one */
    /* Pages that others ask for: a futex; and since when, in milliseconds. */
    _Alignas(64) _Atomic uint32_t wanted;
    _Atomic uint32_t wanted_since;
};

struct pool_file {
    /* Does not change. */
    char magic[8];
    uint32_t version;
    uint32_t check; /* of this group */
    uint64_t layout;
    uint64_t id;
    uint64_t size;

    _Atomic uint32_t share; /* pages that a newcomer gets for itself, at most */
    _Atomic uint32_t count; /* places from here on were never taken */
    /* Advances as objects come into memory. */
    _Alignas(64) _Atomic uint32_t epoch;
    /* Advances when somebody gives pages back; a futex. */
    _Alignas(64) _Atomic uint32_t events;
    _Atomic uint32_t waiters;
    /* When one that holds less than its fair part last waited for pages, in milliseconds. */
    _Atomic uint32_t starved;

    struct ledger pages;
    struct ledger promises;
    struct pool_member members[POOL_MEMBERS];
};

/* What is made when nothing else is said: the private share of a member of a pool of so many bytes.
 */
uint64_t pool_file_default_share(uint64_t ram);

/* Make an empty file a pool of so many bytes. */
int pool_file_make(int fd, uint64_t ram, uint64_t share) must_check;

/* Attach. On an error (-errno; -EBADMSG: not a pool file, of another version, or damaged) *reason
 * says what is wrong. */
int pool_file_map(int fd, struct pool_file **file, const char **reason) must_check;
void pool_file_unmap(struct pool_file *file);

/* Change the size: pages, and what of them can be promised. */
void pool_file_resize(struct pool_file *file, uint64_t ram);
uint64_t pool_file_ram(const struct pool_file *file);

/* Ask a member to give so many pages back, and wake it when nothing was wanted of it before. */
void pool_file_ask(struct pool_file *file, unsigned member, uint32_t pages);
uint32_t pool_file_now_ms(void);

/* The part of so many bytes that can hold objects: the rest is for metadata and frames in motion.
 */
uint64_t pool_file_usable(uint64_t ram);

#endif
