/* SPDX-License-Identifier: MIT */
/* In which order a case goes over the pages of its set. */
#ifndef USWAP_BENCH_ORDER_H
#define USWAP_BENCH_ORDER_H

#include "random.h"

struct order;
typedef uint64_t order_next(struct order *order, uint64_t step);

struct order {
    order_next *next;
    uint64_t pages, ram_pages; /* of the set; of the limit */
    uint64_t random;
    unsigned thread, threads;
    uint64_t start; /* of the window that moves or jumps */
    struct zipf zipf;
};

void order_make(struct order *order, order_next *next, uint64_t pages, uint64_t ram_pages);

/* One page after the other; with a stride of 16, from each of the 16 beginnings. */
order_next order_up, order_down, order_strided;
/* Round and round through an eighth more than the limit. */
order_next order_loop;
/* Even; 90 % of accesses to 10 % of the pages; by Zipf's law. */
order_next order_random, order_hot, order_zipf;
/* In turns a page of a scan and one of a hot set of half the limit. */
order_next order_scan_hot;
/* At random in a window of half the limit, which moves by a page every 8 accesses; in one of an
 * eighth, which jumps when it has been gone over 8 times. */
order_next order_moving, order_phases;

#endif
