/* SPDX-License-Identifier: MIT */
/*
 * One swap file or device: open it without destroying what is not ours, allocate and discard its
 * space. It starts with a header that never holds data.
 */
#ifndef USWAP_STORE_FILE_H
#define USWAP_STORE_FILE_H

#include "base/base.h"

#include <stdatomic.h>

struct file {
    int fd;
    bool device;      /* a block device; else a regular file */
    bool direct;      /* O_DIRECT */
    bool ram;         /* the file system keeps it in memory */
    bool allocates;   /* file_allocate() makes sure of the space */
    uint64_t size;    /* bytes, whole pages, header included */
    uint64_t header;  /* bytes */
    const char *path; /* as given, for messages */
    _Atomic uint64_t
        unflushed; /* bytes written since the page cache was emptied; not with O_DIRECT */
};

/*
 * Open path (NULL: the default place) for up to size bytes (0: half of the free space there, or
 * all of an existing file or device). Not in a handler. On an error a message says what and why.
 */
int file_open(struct file *file, const char *path, uint64_t size) must_check;
void file_close(struct file *file);

/* Bytes of space that could still be allocated, if nobody else takes them. */
uint64_t file_room(const struct file *file);

/* Make sure of the space of a range: a later write to it cannot fail for lack of it. -ENOSPC. */
int file_allocate(struct file *file, uint64_t offset, uint64_t length) must_check;

/* The content of a range is no longer needed. Its space goes back to the file system or device. */
void file_discard(struct file *file, uint64_t offset, uint64_t length);

/* After each transfer: keep the page cache small where there is no O_DIRECT. May wait for the disk.
 */
void file_was_read(struct file *file, uint64_t offset, uint64_t length);
void file_was_written(struct file *file, uint64_t offset, uint64_t length);

#endif
