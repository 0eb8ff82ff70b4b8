/* SPDX-License-Identifier: MIT */
/*
 * The file of a shared region, as it lies in /dev/shm: a header, a word for each object, and the
 * content. It is attached, not trusted: what is not such a file of this layout is refused.
 *
 * Who dies can leave nothing half done that the next one cannot tell: every change of an object is
 * made by a member that owns it and has written so into its word (object.h).
 */
#ifndef USWAP_SHARED_FILE_H
#define USWAP_SHARED_FILE_H

#include "base/base.h"
#include "base/owned.h"

#include <stdatomic.h>

/* A bit of struct shared_object.mapped each. */
#define SHARED_MEMBERS 64

/* With the NUL. */
#define SHARED_PATH_MAX 1024
#define SHARED_NAME_MAX 64

#define SHARED_PREFIX "uswap-region-"

/* What a region may have resident at least: some runs for each of a few members. */
#define SHARED_RAM_MIN     (1 * MIB)
#define SHARED_OBJECT_SIZE (16 * KIB)

struct shared_sum {
    uint64_t low, high;
};

struct shared_object {
    _Atomic uint32_t word;   /* see object.h */
    _Atomic uint32_t writer; /* the member that writes it to the store, + 1; see move.c */
    _Atomic uint64_t mapped; /* the members that have it in their view; changed by its owner */
    struct shared_sum sum;   /* of what the store has; changed by its owner */
};

struct shared_member {
    _Alignas(64) _Atomic uint32_t pid;
    _Atomic uint32_t pending; /* pages taken that are in no object yet */
    _Atomic uint32_t pinned;  /* objects */
    _Atomic uint32_t joined;  /* how often somebody has taken this place */
    char name[16];
};

struct shared_file {
    /* Does not change. */
    char magic[8];
    uint32_t version;
    uint32_t check; /* of this group */
    uint64_t layout;
    uint64_t id;
    uint64_t size; /* of the content */
    uint64_t object_size;
    uint64_t content; /* where it begins in the file */
    uint64_t store_device, store_inode;
    uint64_t keeps; /* 1: the store is a file that stays (persist) */
    char store[SHARED_PATH_MAX];

    /* Of a store that stays: what was written into its last page last, and what is being written,
     * so that it can be told whether another region has used it since. */
    _Atomic uint64_t store_mark, store_next;

    /* Room: changed under the lock, whose word says who holds it, see room.c. */
    _Alignas(64) _Atomic uint32_t room_lock;
    _Atomic uint64_t used, limit; /* pages */
    _Atomic uint32_t events;      /* advances when there is more room; a futex */

    /* The clock, see clock.c: objects passed since the beginning, not modulo their number. */
    _Alignas(64) _Atomic uint64_t hand;
    _Atomic uint64_t frontier;
    _Atomic uint32_t turn; /* advances with the frontier; a futex */

    _Alignas(64) _Atomic uint64_t reads, writes; /* pages */
    _Atomic uint64_t evictions, clean_drops;
    _Atomic uint64_t io_errors, poisoned;

    struct shared_member members[SHARED_MEMBERS];
    struct shared_object objects[];
};

static inline uint64_t shared_file_objects(const struct shared_file *file)
{
    return file->size / file->object_size;
}

static inline uint64_t shared_file_total(const struct shared_file *file)
{
    return file->content + file->size;
}

struct shared_shape {
    uint64_t size, object_size, ram;
};

/* Lay an empty file out as a region of this shape; the store is filled in by the caller before
 * shared_file_seal(), after which the group that does not change is what it says. Until then, and
 * again from shared_file_unseal() on, when it is being removed, the file is none to attach. */
int shared_file_make(int fd, const struct shared_shape *shape,
                     struct shared_file **file) must_check;
void shared_file_seal(struct shared_file *file);
void shared_file_unseal(struct shared_file *file);

/* Map all but the content. On an error (-EBADMSG: not a region, of another version, or damaged;
 * -EUCLEAN: not sealed; -ENOENT: empty, somebody is about to make one) *reason says what is wrong.
 */
int shared_file_map(int fd, struct shared_file **file, const char **reason) must_check;
void shared_file_unmap(struct shared_file *file);

/* All of a read or write of a store (SYS_pread64, SYS_pwrite64), or -errno. */
int shared_file_transfer(long nr, int fd, void *buffer, uint64_t size, uint64_t offset) must_check;

/* How large it says that its content is, before it has been looked at. */
uint64_t shared_file_content_size(int fd);

/* Whether NAME or UID/NAME may be one (base/owned.h). */
bool shared_name_is_good(const char *name);

/* The path of a region's file, and that of a store which goes with it; path has room for
 * SHARED_PATH_MAX. */
void shared_name_path(const char *name, char *path);
void shared_name_store(const char *name, const char *folder, char *path);

/* Open it, to look at; or in its door (base/door.h). -errno, after a message. */
int shared_file_open(const char *name, char *path) must_check;
int shared_file_enter(const char *name, char *path) must_check;

#endif
