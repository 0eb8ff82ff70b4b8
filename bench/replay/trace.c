/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include "../work/measure.h"
#include "base/base.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "uswpages"

void trace_add(struct trace *trace, uint64_t page, bool write)
{
    if (page > INT32_MAX)
        die("replay: page %" PRIu64 " is beyond 8 TiB", page);
    if (trace->count == trace->room) {
        trace->room = max_u64(2 * trace->room, 4096);
        trace->accesses = realloc(trace->accesses, trace->room * sizeof(*trace->accesses));
        if (!trace->accesses)
            die("replay: no memory for %" PRIu64 " accesses", trace->room);
    }
    trace->accesses[trace->count++] = (uint32_t)page << 1 | (write ? TRACE_WRITE : 0);
}

/* Number the chunks that are used from 0 on, in the order of addresses. Returns how many. */
static uint32_t number_chunks(const struct trace *trace, uint32_t *chunks, uint32_t count)
{
    uint32_t used = 0;

    for (uint64_t i = 0; i < trace->count; i++)
        chunks[trace_page(trace->accesses[i]) / TRACE_CHUNK] = 1;
    for (uint32_t i = 0; i < count; i++)
        if (chunks[i])
            chunks[i] = used++;
    return used;
}

static uint32_t count_pages(const struct trace *trace)
{
    bool *seen = calloc(trace->limit, sizeof(*seen));
    uint32_t count = 0;

    if (!seen)
        die("replay: no memory for %" PRIu32 " pages", trace->limit);
    for (uint64_t i = 0; i < trace->count; i++) {
        bool *page = &seen[trace_page(trace->accesses[i])];
        count += !*page;
        *page = true;
    }
    free(seen);
    return count;
}

void trace_close(struct trace *trace)
{
    uint32_t count = (uint32_t)INT32_MAX / TRACE_CHUNK + 1;
    uint32_t *chunks = calloc(count, sizeof(*chunks));

    if (!chunks)
        die("replay: no memory for chunks");
    trace->limit = number_chunks(trace, chunks, count) * TRACE_CHUNK;
    for (uint64_t i = 0; i < trace->count; i++) {
        uint32_t access = trace->accesses[i], page = trace_page(access);
        page = chunks[page / TRACE_CHUNK] * TRACE_CHUNK + page % TRACE_CHUNK;
        trace->accesses[i] = page << 1 | (access & TRACE_WRITE);
    }
    free(chunks);
    trace->used = count_pages(trace);
}

static void read_numbers(struct trace *trace, FILE *file)
{
    uint32_t access;

    while (fread(&access, sizeof(access), 1, file) == 1)
        trace_add(trace, trace_page(access), access & TRACE_WRITE);
}

static void read_text(struct trace *trace, FILE *file, const char *path)
{
    uint64_t page;
    char next;

    while (fscanf(file, "%" SCNu64, &page) == 1) {
        next = (char)fgetc(file);
        trace_add(trace, page, next == 'w');
    }
    if (!feof(file))
        die("replay: %s is no list of pages", path);
}

void trace_load(struct trace *trace, const char *path)
{
    char magic[sizeof(MAGIC)] = "";
    FILE *file = fopen(path, "r");

    if (!file)
        die("replay: cannot read %s", path);
    if (fread(magic, 1, sizeof(magic) - 1, file) == sizeof(magic) - 1 &&
        strcmp(magic, MAGIC) == 0) {
        read_numbers(trace, file);
    } else {
        rewind(file);
        read_text(trace, file, path);
    }
    fclose(file);
    if (!trace->count)
        die("replay: %s has no accesses", path);
    trace_close(trace);
}

void trace_save(const struct trace *trace, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(MAGIC, sizeof(MAGIC) - 1, 1, file) != 1 ||
        fwrite(trace->accesses, sizeof(*trace->accesses), trace->count, file) != trace->count ||
        fclose(file))
        die("replay: cannot write %s", path);
}

void trace_free(struct trace *trace)
{
    free(trace->accesses);
}
