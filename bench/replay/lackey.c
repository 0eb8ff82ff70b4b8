/* SPDX-License-Identifier: MIT */
/*
 * Lackey prints a line for each access, " L", " S" or " M" (both), an address in hexadecimal and a
 * size. Instructions (a line that begins with I) are left out. So is what is touched again and
 * again: a page that is among the last RECENT different ones, unless it is written to for the first
 * time since it is there. No order that keeps more pages than that decides otherwise because of it,
 * and traces are a hundredth of their size.
 */
#include "base/base.h"
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#define RECENT 16

struct recent {
    uint64_t page;
    bool written;
};

/* Move the entry to the front; what is between moves by one. */
static void to_front(struct recent *recent, unsigned at, struct recent entry)
{
    memmove(recent + 1, recent, at * sizeof(*recent));
    recent[0] = entry;
}

/* Whether the access says anything new. */
static bool is_news(struct recent *recent, uint64_t page, bool write)
{
    unsigned at = 0;
    bool known, news;

    while (at < RECENT - 1 && recent[at].page != page)
        at++;
    known = recent[at].page == page;
    news = !known || (write && !recent[at].written);
    to_front(recent, at, (struct recent){page, write || (known && recent[at].written)});
    return news;
}

void trace_from_lackey(struct trace *trace, FILE *input)
{
    struct recent recent[RECENT] = {{0, false}};
    char line[512];

    while (fgets(line, sizeof(line), input)) {
        uint64_t page;
        bool write = line[1] == 'S' || line[1] == 'M';
        if (line[0] != ' ' || line[2] != ' ' || (!write && line[1] != 'L'))
            continue;
        page = strtoull(line + 3, NULL, 16) >> PAGE_SHIFT;
        if (is_news(recent, page, write))
            trace_add(trace, page, write);
    }
}
