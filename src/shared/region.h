/* SPDX-License-Identifier: MIT */
/* A shared region as this process has attached it. */
#ifndef USWAP_SHARED_REGION_H
#define USWAP_SHARED_REGION_H

#include "base/alive.h"
#include "shared/file.h"
#include "shared/shared.h"

struct shared {
    struct shared_file *file;
    char *alias;
    char *view;
    uint64_t reserved; /* bytes kept at the view's place until it is there */
    bool writable;
    unsigned member, joined; /* our place, and which of those who took it we are */
    unsigned object_shift;   /* log2 of the size of an object */
    uint64_t count;          /* objects */
    int store_fd, uffd;
    struct alive alive;
    /* Of this process: what is in the view (a bit an object), and how often it is pinned. */
    _Atomic uint64_t *mapped;
    _Atomic uint16_t *pins;
    _Atomic uint64_t swept;  /* how far the view has been unmapped, see clock.c */
    _Atomic uint32_t wanted; /* a futex: the thread is to make room */
    _Atomic bool reaping;
    _Atomic bool cramped; /* /dev/shm has been found full, and that has been said */
    char name[SHARED_NAME_MAX];
    char path[SHARED_PATH_MAX];
};

static inline uint64_t shared_object_size(const struct shared *shared)
{
    return (uint64_t)1 << shared->object_shift;
}

static inline uint32_t shared_object_pages(const struct shared *shared)
{
    return (uint32_t)(shared_object_size(shared) >> PAGE_SHIFT);
}

static inline char *shared_alias(const struct shared *shared, uint64_t object)
{
    return shared->alias + (object << shared->object_shift);
}

static inline char *shared_view(const struct shared *shared, uint64_t object)
{
    return shared->view + (object << shared->object_shift);
}

static inline uint64_t shared_object_of(const struct shared *shared, const void *address)
{
    return (uint64_t)((const char *)address - shared->view) >> shared->object_shift;
}

#endif
