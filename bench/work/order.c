/* SPDX-License-Identifier: MIT */
#include "order.h"

#include "base/base.h"

#define STRIDE      16
#define HOT_PART    10 /* one page of so many is hot */
#define HOT_PERCENT 90 /* of the accesses go to the hot pages */
#define USES        8  /* of a page, before its window has gone on */

void order_make(struct order *order, order_next *next, uint64_t pages, uint64_t ram_pages)
{
    *order = (struct order){.next = next, .pages = pages, .ram_pages = ram_pages, .threads = 1};
    if (next == order_zipf)
        zipf_make(&order->zipf, pages);
}

uint64_t order_up(struct order *order, uint64_t step)
{
    return step % order->pages;
}

uint64_t order_down(struct order *order, uint64_t step)
{
    return order->pages - 1 - step % order->pages;
}

uint64_t order_strided(struct order *order, uint64_t step)
{
    uint64_t each = order->pages / STRIDE;

    return step % each * STRIDE + step / each % STRIDE;
}

uint64_t order_loop(struct order *order, uint64_t step)
{
    return step % min_u64(order->ram_pages + order->ram_pages / 8, order->pages);
}

uint64_t order_random(struct order *order, uint64_t step)
{
    return random_below(&order->random, order->pages / order->threads) * order->threads +
           order->thread;
}

uint64_t order_hot(struct order *order, uint64_t step)
{
    uint64_t page = random_below(&order->random, order->pages / HOT_PART) * HOT_PART;

    if (random_below(&order->random, 100) >= HOT_PERCENT)
        page += 1 + random_below(&order->random, HOT_PART - 1);
    return page;
}

uint64_t order_zipf(struct order *order, uint64_t step)
{
    return zipf_next(&order->zipf, &order->random);
}

uint64_t order_scan_hot(struct order *order, uint64_t step)
{
    uint64_t hot = order->ram_pages / 2;

    if (hot >= order->pages)
        hot = order->pages / 2;
    if (step % 2)
        return random_below(&order->random, hot);
    return hot + step / 2 % (order->pages - hot);
}

uint64_t order_moving(struct order *order, uint64_t step)
{
    uint64_t window = order->ram_pages / 2;

    return (step / USES + random_below(&order->random, window)) % order->pages;
}

uint64_t order_phases(struct order *order, uint64_t step)
{
    uint64_t window = order->ram_pages / 8;

    if (step % (window * USES) == 0)
        order->start = random_below(&order->random, order->pages);
    return (order->start + random_below(&order->random, window)) % order->pages;
}
