/* SPDX-License-Identifier: MIT */
#include "observe/parts.h"

#include "base/clock.h"

__thread uint64_t parts_since;

void parts_note(enum status_part part)
{
    uint64_t now = clock_now_ns();

    atomic_fetch_add_explicit(&status_page.parts.sum[part], now - parts_since,
                              memory_order_relaxed);
    histogram_add(&status_page.parts.times[part], now - parts_since);
    parts_since = now;
}
