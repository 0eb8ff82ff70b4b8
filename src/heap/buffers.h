/* SPDX-License-Identifier: MIT */
/*
 * Memory outside the window for what libc allocates to have the kernel fill or read it: the buffers
 * of streams and of directories. libc makes such calls itself, past the interposed functions: in
 * the window each would be trapped, for a page of data. There are a few of them; who comes later
 * gets memory in the window.
 */
#ifndef USWAP_HEAP_BUFFERS_H
#define USWAP_HEAP_BUFFERS_H

#include "heap/libc.h"

#define BUFFERS_STREAM         ((size_t)4096) /* the block size of a file system, mostly */
#define BUFFERS_STREAMS        16
#define BUFFERS_DIRECTORY      ((size_t)32768) /* and libc's structure before it */
#define BUFFERS_DIRECTORY_ROOM (BUFFERS_DIRECTORY + 4096)
#define BUFFERS_DIRECTORIES    4

struct buffers {
    char streams[BUFFERS_STREAMS][BUFFERS_STREAM];
    char directories[BUFFERS_DIRECTORIES][BUFFERS_DIRECTORY_ROOM];
};

extern struct buffers buffers __attribute__((visibility("hidden")));

/* Of malloc(size), called from there. NULL: it is none of these, or there is no room. Any thread,
 * also in a signal handler. */
void *buffers_take(size_t size, const void *caller);

/* In the fast path of free(). */
static inline bool buffers_has(const void *block)
{
    return unlikely((uintptr_t)block - (uintptr_t)&buffers < sizeof(buffers));
}

void buffers_put(void *block);
size_t buffers_size(const void *block);

#endif
