/* SPDX-License-Identifier: MIT */
#include "lists.h"

struct lists lists_make(struct run *run)
{
    struct lists lists = {
        .links = run_memory(run, run->trace->limit, sizeof(*lists.links)),
        .in = run_memory(run, run->trace->limit, sizeof(*lists.in)),
    };

    for (unsigned i = 0; i <= LISTS; i++)
        lists.of[i].oldest = lists.of[i].newest = NO_PAGE;
    return lists;
}

void lists_push(struct lists *lists, unsigned list, uint32_t page)
{
    struct link *link = &lists->links[page];

    lists_remove(lists, page);
    *link = (struct link){lists->of[list].newest, NO_PAGE};
    if (link->older == NO_PAGE)
        lists->of[list].oldest = page;
    else
        lists->links[link->older].newer = page;
    lists->of[list].newest = page;
    lists->of[list].count++;
    lists->in[page] = (uint8_t)list;
}

void lists_remove(struct lists *lists, uint32_t page)
{
    struct link link = lists->links[page];
    unsigned list = lists->in[page];

    if (list == LIST_NONE)
        return;
    if (link.older == NO_PAGE)
        lists->of[list].oldest = link.newer;
    else
        lists->links[link.older].newer = link.newer;
    if (link.newer == NO_PAGE)
        lists->of[list].newest = link.older;
    else
        lists->links[link.newer].older = link.older;
    lists->of[list].count--;
    lists->in[page] = LIST_NONE;
}

uint32_t lists_pop(struct lists *lists, unsigned list)
{
    uint32_t page = lists->of[list].oldest;

    if (page != NO_PAGE)
        lists_remove(lists, page);
    return page;
}
