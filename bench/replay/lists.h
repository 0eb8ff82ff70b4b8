/* SPDX-License-Identifier: MIT */
/* Lists of pages; each page is in one of them or in none. */
#ifndef USWAP_BENCH_REPLAY_LISTS_H
#define USWAP_BENCH_REPLAY_LISTS_H

#include "policy.h"

#define LISTS   4
#define NO_PAGE UINT32_MAX

enum { LIST_NONE = 0 };

struct lists {
    struct link {
        uint32_t older, newer;
    } * links;
    uint8_t *in; /* of each page: its list, from 1 on */
    struct {
        uint32_t oldest, newest, count;
    } of[LISTS + 1];
};

struct lists lists_make(struct run *run);

/* As the newest of a list, out of any other. */
void lists_push(struct lists *lists, unsigned list, uint32_t page);
void lists_remove(struct lists *lists, uint32_t page);

/* The oldest page, which is in no list then; NO_PAGE: the list is empty. */
uint32_t lists_pop(struct lists *lists, unsigned list);

static inline uint32_t lists_count(const struct lists *lists, unsigned list)
{
    return lists->of[list].count;
}

#endif
