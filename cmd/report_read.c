/* SPDX-License-Identifier: MIT */
/* Reads the file of a trace: whole blocks, in whatever state the end of the file is. */
#include "base/msg.h"
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- The file ---- */

static int refuse(const char *path, const char *why)
{
    msg_error("report: %s: %s", path, why);
    return -EINVAL;
}

static int map_file(const char *path, struct trace *trace)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status)) {
        refuse(path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -ENOENT;
    }
    trace->map_size = (size_t)status.st_size;
    trace->map = S_ISREG(status.st_mode) && trace->map_size >= sizeof(trace->header)
                     ? mmap(NULL, trace->map_size, PROT_READ, MAP_PRIVATE, fd, 0)
                     : MAP_FAILED;
    close(fd);
    if (trace->map != MAP_FAILED)
        return 0;
    trace->map = NULL;
    return refuse(path, "not a trace; one is made by uswap run --trace FILE");
}

static int check_header(const char *path, struct trace *trace)
{
    struct trace_header *header = &trace->header;

    memcpy(header, trace->map, sizeof(*header));
    if (header->magic != TRACE_MAGIC)
        return refuse(path, "not a trace; one is made by uswap run --trace FILE");
    if (header->version != TRACE_VERSION || header->header_size != sizeof(*header) ||
        header->record_size != sizeof(struct trace_record) || header->page_size != PAGE_SIZE)
        return refuse(path, "the trace was made by another version of uswap");
    header->command[sizeof(header->command) - 1] = '\0';
    return 0;
}

/* ---- Blocks ---- */

static int add_event(struct trace *trace, size_t *room, const struct trace_record *record)
{
    if (trace->count == *room) {
        size_t larger = *room ? *room * 2 : 65536;
        struct event *events = realloc(trace->events, larger * sizeof(*events));
        if (!events)
            return -ENOMEM;
        trace->events = events;
        *room = larger;
    }
    trace->events[trace->count++] = (struct event){record->time, record};
    trace->duration = max_u64(trace->duration, record->time);
    return 0;
}

static int take_records(struct trace *trace, size_t *room, const void *data, size_t size)
{
    const struct trace_record *records = data;
    size_t count = size / sizeof(*records);
    int error = 0;

    for (size_t i = 0; i < count && !error; i += 1u + records[i].extra) {
        if (i + records[i].extra >= count || records[i].kind >= TRACE_KINDS)
            continue;
        if (records[i].kind == TRACE_OVERRUN)
            trace->lost += records[i].value;
        trace->ended = trace->ended || records[i].kind == TRACE_END;
        error = add_event(trace, room, &records[i]);
    }
    return error;
}

static bool is_known(const struct trace *trace, const struct module *module)
{
    for (size_t i = 0; i < trace->module_count; i++)
        if (trace->modules[i].first == module->first && trace->modules[i].end == module->end &&
            strcmp(trace->modules[i].path, module->path) == 0)
            return true;
    return false;
}

/* FIRST END OFFSET BUILD-ID PATH */
static int take_module(struct trace *trace, const char *line)
{
    struct module module;
    struct module *modules;
    unsigned long first, end, offset;
    char path[4096];

    if (sscanf(line, "%lx %lx %lx %63s %4095[^\n]", &first, &end, &offset, module.id, path) != 5)
        return 0;
    module.first = first;
    module.end = end;
    module.offset = offset;
    module.path = path;
    if (is_known(trace, &module))
        return 0;
    modules = realloc(trace->modules, (trace->module_count + 1) * sizeof(*modules));
    if (!modules)
        return -ENOMEM;
    trace->modules = modules;
    module.path = strdup(path);
    if (!module.path)
        return -ENOMEM;
    modules[trace->module_count++] = module;
    return 0;
}

static int take_modules(struct trace *trace, const char *data, size_t size)
{
    char *text = strndup(data, size), *rest = text;
    int error = text ? 0 : -ENOMEM;

    for (char *line; !error && (line = strsep(&rest, "\n"));)
        error = take_module(trace, line);
    free(text);
    return error;
}

static bool block_is_whole(const struct trace_block *block, const char *data)
{
    return block->check == (uint32_t)XXH3_64bits(data, block->size);
}

/* The block at `at`, and where the next one is; false: nothing more can be read. */
static bool next_block(struct trace *trace, size_t at, struct trace_block *block, size_t *next)
{
    const char *bytes = trace->map;
    size_t left = trace->map_size - at;

    if (!left)
        return false;
    if (left >= sizeof(*block))
        memcpy(block, bytes + at, sizeof(*block));
    if (left < sizeof(*block) ||
        (block->magic == TRACE_BLOCK_MAGIC && block->size <= TRACE_BLOCK_MAX &&
         left - sizeof(*block) < block->size)) {
        snprintf(trace->warning, sizeof(trace->warning),
                 "the file ends in the middle of a block; %zu bytes are left out", left);
        return false;
    }
    if (block->magic != TRACE_BLOCK_MAGIC || block->size > TRACE_BLOCK_MAX ||
        !block_is_whole(block, bytes + at + sizeof(*block))) {
        snprintf(trace->warning, sizeof(trace->warning),
                 "the file is damaged at byte %zu; the %zu bytes from there on are left out", at,
                 left);
        return false;
    }
    *next = at + sizeof(*block) + block->size;
    return true;
}

static int read_blocks(struct trace *trace)
{
    size_t at = sizeof(trace->header), next = 0, room = 0;
    struct trace_block block;
    int error = 0;

    for (; !error && next_block(trace, at, &block, &next); at = next) {
        const char *data = (const char *)trace->map + at + sizeof(block);
        progress_show("reading", at, trace->map_size);
        if (block.type == TRACE_RECORDS)
            error = take_records(trace, &room, data, block.size);
        else if (block.type == TRACE_MODULES)
            error = take_modules(trace, data, block.size);
    }
    trace->bytes = at;
    return error;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

int trace_load(const char *path, struct trace *trace)
{
    int error;

    memset(trace, 0, sizeof(*trace));
    error = map_file(path, trace);
    if (!error)
        error = check_header(path, trace);
    if (!error)
        error = read_blocks(trace);
    if (error == -ENOMEM)
        refuse(path, "not enough memory to read it");
    if (error)
        return error;
    progress_show("sorting", 0, 1);
    qsort(trace->events, trace->count, sizeof(*trace->events), by_time);
    return 0;
}

void trace_unload(struct trace *trace)
{
    for (size_t i = 0; i < trace->module_count; i++)
        free(trace->modules[i].path);
    free(trace->modules);
    free(trace->events);
    if (trace->map)
        munmap(trace->map, trace->map_size);
}
