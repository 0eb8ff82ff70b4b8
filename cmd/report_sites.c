/* SPDX-License-Identifier: MIT */
/*
 * The places in the program that touched what was not there, from the stacks of a sample of the
 * faults. A function of libc is named as the way there, and who called it as the place: its return
 * address is at the stack pointer, as those that touch much memory (memcpy, memset) keep no frame.
 */
#include "progress.h"
#include "report.h"
#include "symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Places by address; those of one function and line are put together afterwards. */
#define PLACES_MAX 65536

struct place {
    uint64_t address; /* 0: free */
    uint64_t through; /* an address in the library function; 0: none */
    uint64_t samples, reads, time;
};

static struct place *places;

static const struct module *module_of(const struct trace *trace, uint64_t address)
{
    for (size_t i = trace->module_count; i-- > 0;)
        if (address >= trace->modules[i].first && address < trace->modules[i].end)
            return &trace->modules[i];
    return NULL;
}

/* libc and our own library: nobody wrote their code to find it slow. */
static bool is_library(const struct module *module)
{
    const char *name = strrchr(module->path, '/');

    return name && (strncmp(name, "/libc.so", 8) == 0 || strncmp(name, "/libc-", 6) == 0 ||
                    strncmp(name, "/libuswap", 9) == 0 || strncmp(name, "/ld-", 4) == 0);
}

static struct place place_of(const struct trace *trace, const uint64_t *addresses, unsigned count)
{
    const struct module *module = module_of(trace, addresses[0]);

    if (!module || !is_library(module))
        return (struct place){.address = addresses[0]};
    for (unsigned i = 1; i < count; i++) {
        const struct module *caller = module_of(trace, addresses[i]);
        if (caller && !is_library(caller))
            return (struct place){.address = addresses[i] - 1, .through = addresses[0]};
    }
    return (struct place){.address = addresses[0]};
}

/* One in a table that is full counts for the last place. */
static struct place *find_place(const struct place *key)
{
    uint32_t at = (uint32_t)(key->address * UINT64_C(0x9e3779b97f4a7c15) >> 48);

    for (unsigned i = 0; i < PLACES_MAX - 1; i++) {
        struct place *place = &places[(at + i) % PLACES_MAX];
        if (!place->address)
            *place = *key;
        if (place->address == key->address)
            return place;
    }
    return &places[at];
}

/* Faults, for each that has a stack. */
static uint32_t samples_stand_for(const struct report *report, const struct trace_record *record)
{
    const struct trace_header *header = &report->trace->header;

    return record->kind == TRACE_FAULT_READ ? header->stack_reads : header->stack_others;
}

static void count_stack(struct report *report, const struct trace_record *record)
{
    uint64_t addresses[TRACE_STACK_DEPTH];
    unsigned count = record->extra * (unsigned)(sizeof(*record) / sizeof(addresses[0]));
    struct place key, *place;

    if (record->extra > TRACE_EXTRA_MAX || !record->extra)
        return;
    memcpy(addresses, record + 1, count * sizeof(addresses[0]));
    key = place_of(report->trace, addresses, count);
    if (!key.address)
        return;
    place = find_place(&key);
    place->samples++;
    place->reads += record->kind == TRACE_FAULT_READ;
    place->time += (uint64_t)record->duration * samples_stand_for(report, record);
    report->stacks++;
}

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->time == y->time  ? (x->samples < y->samples) - (x->samples > y->samples)
           : x->time < y->time ? 1
                               : -1;
}

static void describe(const struct trace *trace, const struct place *place, struct site *site)
{
    char unused[200];

    memset(site, 0, sizeof(*site));
    symbols_find(trace, place->address, site->function, sizeof(site->function), site->place,
                 sizeof(site->place));
    if (place->through)
        symbols_find(trace, place->through, site->through, sizeof(site->through), unused,
                     sizeof(unused));
    site->samples = place->samples;
    site->reads = place->reads;
    site->time = place->time;
}

static bool same_site(const struct site *a, const struct site *b)
{
    return strcmp(a->function, b->function) == 0 && strcmp(a->place, b->place) == 0 &&
           strcmp(a->through, b->through) == 0;
}

/* Into the list, or into one that is there: a line has several instructions. */
static void add_site(struct report *report, const struct site *site)
{
    for (unsigned i = 0; i < report->site_count; i++) {
        struct site *other = &report->sites[i];
        if (!same_site(other, site))
            continue;
        other->samples += site->samples;
        other->reads += site->reads;
        other->time += site->time;
        return;
    }
    report->sites_total++;
    if (report->site_count < REPORT_SITES)
        report->sites[report->site_count++] = *site;
}

static int by_site_time(const void *a, const void *b)
{
    const struct site *x = a, *y = b;

    return x->time == y->time ? 0 : x->time < y->time ? 1 : -1;
}

/* Names are looked up for so many of the places, the hottest: it takes a while each. */
#define NAMED_MAX 512

int report_sites(struct report *report)
{
    struct site site;

    places = calloc(PLACES_MAX, sizeof(*places));
    if (!places)
        return -ENOMEM;
    for (size_t i = 0; i < report->trace->count; i++) {
        const struct trace_record *record = report->trace->events[i].record;
        if (event_is_fault(record) && record->flags & TRACE_STACK)
            count_stack(report, record);
    }
    qsort(places, PLACES_MAX, sizeof(*places), by_time);
    report->symbols = symbols_open(report->trace);
    for (unsigned i = 0; i < NAMED_MAX && places[i].address; i++) {
        progress_show("names", i, NAMED_MAX);
        describe(report->trace, &places[i], &site);
        add_site(report, &site);
    }
    qsort(report->sites, report->site_count, sizeof(*report->sites), by_site_time);
    symbols_close();
    free(places);
    return 0;
}
