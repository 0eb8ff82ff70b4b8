/* SPDX-License-Identifier: MIT */
#include "arena/reads.h"

#include "base/page.h"

#include <errno.h>
#include <string.h>

void reads_start(struct reads *reads, bool early)
{
    reads->early = early;
    reads->buffer_count = 0;
    reads->buffers_begun = 0;
    reads->run_count = 0;
    reads->count = 0;
    reads->unpacked = false;
}

void reads_begin(struct reads *reads)
{
    unsigned from = reads->buffers_begun;

    if (reads->buffer_count == from)
        return;
    reads->reads[reads->count].early = reads->early;
    store_read_begin(&reads->reads[reads->count++], reads->run_first, &reads->buffers[from],
                     reads->buffer_count - from);
    reads->buffers_begun = reads->buffer_count;
    reads->run_count = 0;
}

int reads_end(struct reads *reads)
{
    int error = 0;

    for (unsigned i = 0; i < reads->count; i++) {
        int one = store_read_end(&reads->reads[i]);
        error = error ? error : one;
    }
    reads->count = 0;
    return error;
}

bool reads_are_begun(const struct reads *reads)
{
    return reads->count && store_read_is_begun(&reads->reads[reads->count - 1]);
}

void reads_give_up(struct reads *reads)
{
    for (unsigned i = 0; i < reads->count; i++)
        store_read_give_up(&reads->reads[i]);
    reads->count = 0;
}

static bool goes_on(const struct reads *reads, slot_t slot)
{
    return reads->run_count && reads->run_count < STORE_RUN_MAX &&
           slot == reads->run_first + reads->run_count;
}

bool reads_are_full(const struct reads *reads, slot_t slot)
{
    return reads->run_count && !goes_on(reads, slot) && reads->count == READS_MAX - 1;
}

int reads_add(struct reads *reads, slot_t slot, char *page)
{
    int error = 0;

    if (slot == SLOT_NONE) {
        memset(page, 0, PAGE_SIZE);
        return 0;
    }
    error = store_read_packed(slot, page);
    if (error != -ENOENT) {
        reads->unpacked = true;
        return error;
    }
    error = 0;
    if (!goes_on(reads, slot)) {
        reads_begin(reads);
        if (reads->count == READS_MAX)
            error = reads_end(reads);
        reads->run_first = slot;
    }
    reads->run_count++;
    page_append(reads->buffers, reads->buffers_begun, &reads->buffer_count, page);
    return error;
}

enum trace_kind reads_source(const struct reads *reads)
{
    if (reads->buffers_begun)
        return TRACE_FAULT_READ;
    return reads->unpacked ? TRACE_FAULT_PACKED : TRACE_FAULT_FRESH;
}
