/* SPDX-License-Identifier: MIT */
/*
 * The view of a shared region: what this process has mapped of it where the program sees it. The
 * owner of the objects calls; their bits in the region's file are set before they are mapped and
 * cleared after they are not.
 */
#ifndef USWAP_SHARED_VIEW_H
#define USWAP_SHARED_VIEW_H

#include "shared/region.h"

/* Map the view where it is to be (NULL: anywhere) and cover it, with nothing mapped in it. */
int view_open(struct shared *shared) must_check;
void view_close(struct shared *shared);

/* A mapping of the content is of small pages, also where /dev/shm is mounted with huge=always: what
 * one object's fault brings in must not be more than has been counted. */
void view_keep_small(char *address, uint64_t size);

/* Objects whose content is in memory. */
int view_map(struct shared *shared, uint64_t first, uint64_t count) must_check;
void view_unmap(struct shared *shared, uint64_t first, uint64_t count);

/* What the other processes know: whether this one has the object in its view. */
bool view_has(const struct shared *shared, uint64_t object);

#endif
