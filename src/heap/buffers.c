/* SPDX-License-Identifier: MIT */
#include "heap/buffers.h"

#include "base/bits.h"
#include "base/meta.h"

struct buffers buffers __attribute__((aligned(4096)));

static _Atomic uint64_t free_streams = (UINT64_C(1) << BUFFERS_STREAMS) - 1;
static _Atomic uint64_t free_directories = (UINT64_C(1) << BUFFERS_DIRECTORIES) - 1;
static _Atomic uint64_t streams_charged, directories_charged;

_Static_assert(BUFFERS_STREAMS < 64 && BUFFERS_DIRECTORIES < 64, "a bit for each");

static void *take_stream(void)
{
    int i = bits_take(&free_streams);

    if (i < 0)
        return NULL;
    meta_charge_once(&streams_charged, i, BUFFERS_STREAM);
    return buffers.streams[i];
}

static void *take_directory(void)
{
    int i = bits_take(&free_directories);

    if (i < 0)
        return NULL;
    meta_charge_once(&directories_charged, i, BUFFERS_DIRECTORY_ROOM);
    return buffers.directories[i];
}

void *buffers_take(size_t size, const void *caller)
{
    if ((uintptr_t)caller - libc_text >= libc_text_size)
        return NULL;
    if (size == BUFFERS_STREAM)
        return take_stream();
    if (size >= BUFFERS_DIRECTORY && size <= BUFFERS_DIRECTORY + 64)
        return take_directory();
    return NULL;
}

static bool is_stream(const void *block)
{
    return (const char *)block < (const char *)buffers.directories;
}

void buffers_put(void *block)
{
    if (is_stream(block))
        bits_put(&free_streams, (size_t)((char *)block - buffers.streams[0]) / BUFFERS_STREAM);
    else
        bits_put(&free_directories,
                 (size_t)((char *)block - buffers.directories[0]) / BUFFERS_DIRECTORY_ROOM);
}

size_t buffers_size(const void *block)
{
    return is_stream(block) ? BUFFERS_STREAM : BUFFERS_DIRECTORY_ROOM;
}
