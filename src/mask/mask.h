/* SPDX-License-Identifier: MIT */
/*
 * The page mask: who may touch which memory, and how content changes place without a copy.
 *
 * Covered memory is anonymous memory whose missing pages are not filled by the kernel: touching one
 * raises SIGBUS in the thread that did. So does writing to a page that is protected. To mask a page
 * is to move its content elsewhere; to unmask it is to move content back. Sizes and addresses are
 * whole pages. No function here takes a lock or touches the memory itself; all are safe in the
 * fault handler and on the swap thread.
 */
#ifndef USWAP_MASK_MASK_H
#define USWAP_MASK_MASK_H

#include "base/base.h"

#include <sys/uio.h>

/* Whether this kernel can do it, without changing anything. On failure *reason says what is missing
 * and what to do. */
int mask_probe(const char **reason) must_check;

/* Open the engine. Once, at start. */
int mask_start(const char **reason) must_check;

/* Give the engine up again when the start fails further on. */
void mask_stop(void);

/* From now on missing pages in the range raise SIGBUS. Up to MASK_RANGES ranges. */
#define MASK_RANGES 4
int mask_cover(void *address, size_t size) must_check;

/* Where pages are moved from. */
struct mask_span {
    void *address;
    size_t size;
    enum mask_source {
        MASK_PROGRAM, /* the program's memory: pages pinned for its IO are not taken away */
        MASK_FRAMES,  /* ours: all IO is done, though the kernel may hold on to a page for a moment
                       */
    } kind;
};

/*
 * The protection that the program gives its memory (read only, none) stays: pages of such memory
 * leave and come back one by one.
 *
 * Move the pages of the source to destination, where no page may be present. A page that is missing
 * in the source (the program dropped it) becomes a page of zeros. Who writes to a page meanwhile
 * either writes before it moves, or gets SIGBUS. Both ranges must be covered. *moved is how far it
 * came, in bytes: all of it unless an error is returned (-ENOMEM; -EEXIST; -EBUSY: a page is
 * pinned).
 */
int mask_move(void *destination, const struct mask_span *source, size_t *moved) must_check;

/* Fill missing pages at destination with a copy of what is at source, which is anywhere; protected:
 * writing to one raises SIGBUS. On an error none is filled. */
int mask_copy(void *destination, const void *source, size_t size, bool protected) must_check;

/* End the protection of pages. */
int mask_unprotect(void *address, size_t size) must_check;

/* Make missing pages present, writable and zero. -EEXIST: one was present already. */
int mask_fill_zero(void *address, size_t size) must_check;

/* Whether a page is present, at this moment. */
bool mask_present(const void *page);

/* Drop the pages of a range: they are missing afterwards. */
void mask_drop(void *address, size_t size);

/* The same for up to MASK_DROPS ranges, by one call where the kernel can. */
#define MASK_DROPS 64
void mask_drop_ranges(const struct iovec *ranges, unsigned count);

/* Whether a page is flushed from the TLBs in some microseconds now, as no other CPU runs the
 * program: then little is gained by moving or dropping many pages at a time. */
bool mask_flush_is_cheap(void) must_check;

/* Make every access to the range a true SIGSEGV, or end that. */
void mask_forbid(void *address, size_t size);
void mask_permit(void *address, size_t size);

/*
 * Parts of covered ranges that are lent to other mappings of the kernel: they are not covered, also
 * in children, until they are taken back, as fresh memory that is readable and writable. The caller
 * lets one thread at a time do this. -ENOMEM: too many, or no memory.
 */
#define MASK_LENT_MAX 65536
int mask_lend(void *address, size_t size) must_check;
int mask_take_back(void *address, size_t size) must_check;

/* In the child after fork, before it touches covered memory: cover the same ranges again. */
int mask_fork_child(void) must_check;

#endif
