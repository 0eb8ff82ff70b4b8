/* SPDX-License-Identifier: MIT */
/*
 * The parts of glibc's malloc interface that tell about the heap or tune it. Figures are totals
 * of jemalloc's statistics; what glibc says of its own arenas, bins and thresholds has no
 * counterpart, and tuning by mallopt() has no effect.
 */
#include "base/fmt.h"
#include "base/sys.h"
#include "heap/heap.h"
#include "heap/jemalloc.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

struct totals {
    size_t allocated; /* in blocks of the program */
    size_t kept;      /* in free extents */
    size_t all;       /* in extents that hold blocks, and in free ones */
};

static size_t read_statistic(const char *name)
{
    size_t value = 0;
    size_t size = sizeof(value);

    je_mallctl(name, &value, &size, NULL, 0);
    return value;
}

static struct totals read_totals(void)
{
    uint64_t epoch = 1;

    je_mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
    size_t kept = read_statistic("stats.arenas." HEAP_ALL_ARENAS ".pdirty") * PAGE_SIZE;
    return (struct totals){.allocated = read_statistic("stats.allocated"),
                           .kept = kept,
                           .all = read_statistic("stats.active") + kept};
}

exported struct mallinfo2 mallinfo2(void)
{
    struct totals totals = read_totals();

    return (struct mallinfo2){.arena = totals.all,
                              .uordblks = totals.allocated,
                              .fordblks = totals.all - totals.allocated,
                              .keepcost = totals.kept};
}

static int to_int(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

exported struct mallinfo mallinfo(void)
{
    struct mallinfo2 info = mallinfo2();

    return (struct mallinfo){.arena = to_int(info.arena),
                             .uordblks = to_int(info.uordblks),
                             .fordblks = to_int(info.fordblks),
                             .keepcost = to_int(info.keepcost)};
}

exported int malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    struct totals totals = read_totals();
    fprintf(stream,
            "<malloc version=\"1\">\n"
            "<total type=\"rest\" count=\"0\" size=\"%zu\"/>\n"
            "<system type=\"current\" size=\"%zu\"/>\n"
            "<aspace type=\"total\" size=\"%zu\"/>\n"
            "</malloc>\n",
            totals.all - totals.allocated, totals.all, totals.all);
    return 0;
}

exported void malloc_stats(void)
{
    struct totals totals = read_totals();
    char text[160];
    size_t length =
        fmt_write(text, sizeof(text), "system bytes     = %10zu\nin use bytes     = %10zu\n",
                  totals.all, totals.allocated);

    sys_call(SYS_write, 2, text, length);
}

exported int malloc_trim(size_t pad)
{
    size_t before = read_totals().all;

    heap_purge();
    return read_totals().all < before;
}

exported int mallopt(int parameter, int value)
{
    return 1;
}
