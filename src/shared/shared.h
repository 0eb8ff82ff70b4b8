/* SPDX-License-Identifier: MIT */
/*
 * Shared regions: memory with a name that several processes map, resident once, counted once and
 * swapped once.
 *
 * A region is a file in /dev/shm (file.h) that holds its description, a word for each of its
 * objects and, behind them, the content that is resident; and a store file on a disk, in which
 * every object has its place. Each process that has attached the region is a member (member.h) and
 * has two mappings of the content:
 *
 *   the view    what the program uses; covered by a userfaultfd of its own, so that an object which
 *               the member has not mapped is a SIGBUS, whether the content is resident or not
 *   the alias   for the library alone; what it fills and writes out goes through it
 *
 * Each member unmaps objects of its view for itself. When the last one has given an object up, its
 * content can no longer change, and it can be written to the store and leave memory.
 *
 * Calls go down: attach, fault -> clock -> move -> {object, room, member} -> file.
 */
#ifndef USWAP_SHARED_SHARED_H
#define USWAP_SHARED_SHARED_H

#include "base/base.h"
#include "uswap/uswap.h"

struct shared;

/* Waits of 20 ms for one other member, which is stopped perhaps, until it is said. Tests make it
 * shorter. */
extern unsigned shared_say_waits;

/* As the functions of these names in uswap.h; the engine has been started, signals are blocked. */
int shared_create(const char *name, const struct uswap_shared_options *options) must_check;
int shared_attach(const char *name, unsigned flags, void **address, size_t *size) must_check;
int shared_unlink(const char *name) must_check;

/* The region whose view holds the address, or NULL. In a fault handler, inside the gate. */
struct shared *shared_find(const void *address);

/* What a fault that has to wait remembers; zero at first. */
struct shared_patience {
    unsigned rounds;      /* that did not get it, since it last was let in */
    unsigned waits, full; /* for room; for /dev/shm to be less full */
    unsigned held;        /* for the member that owns the object */
    bool read;            /* content came from the store */
    uint64_t errors;      /* of the store when it began to wait for room */
};

/* Resolve a fault at an address of its view. -EIO: the content is lost; -ENOSPC: /dev/shm is full;
 * -EAGAIN: it has waited for another member for 100 ms or so. The caller leaves the gate, so that
 * who closes it is not held up by one that is stopped, and comes again. */
int shared_fault(struct shared *shared, const void *address,
                 struct shared_patience *patience) must_check;

/* uswap_pin() for a range that begins in its view. -EAGAIN as above, with nothing pinned. */
int shared_pin(struct shared *shared, const void *address, size_t size,
               struct shared_patience *patience) must_check;
void shared_unpin(struct shared *shared, const void *address, size_t size);

/* In the child of fork, which does not have the views yet: attach them again, at the same
 * addresses, as a member of its own. */
int shared_fork_child(void) must_check;

#endif
