/* SPDX-License-Identifier: MIT */
/*
 * Store files that stay. Behind the content they hold a table (state and checksum of each object)
 * and, at the very end, a page that says what the file is and whether content and table are whole:
 * they are from when the last member has left until the next one attaches.
 */
#ifndef USWAP_SHARED_PERSIST_H
#define USWAP_SHARED_PERSIST_H

#include "shared/region.h"

/* Bytes of a store file for content of this size. */
uint64_t persist_file_size(const struct shared_shape *shape);

/* Make an empty file one of this shape, all of it zero, and whole. */
int persist_make(int fd, const struct shared_shape *shape) must_check;

/* What an existing file holds: its shape, or -EBADMSG: it is no such file, -EUCLEAN: it was in use
 * when the machine stopped. */
int persist_look(int fd, struct shared_shape *shape) must_check;

/* Fill a new region's table from the file. -EBADMSG: the table is damaged. */
int persist_load(int fd, struct shared_file *file) must_check;

/* Write the table of a region whose objects are all in the store, and say that it is whole. */
int persist_save(struct shared *shared) must_check;

/* Say that the file is in use. -ESTALE: another region has used it. */
int persist_begin_use(struct shared *shared) must_check;

#endif
