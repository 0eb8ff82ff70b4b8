/* SPDX-License-Identifier: MIT */
/*
 * The profile of the library itself: how long the parts of a fault take. Somebody asks for it
 * (control.h); until then each mark costs a look at a thread-local word.
 *
 * A fault is a row of marks: each one ends a part, which began at the one before.
 */
#ifndef USWAP_OBSERVE_PARTS_H
#define USWAP_OBSERVE_PARTS_H

#include "observe/control.h"
#include "observe/status.h"

/* When the part that runs began; 0: this fault is not timed. */
extern __thread uint64_t parts_since __attribute__((visibility("hidden")));

void parts_note(enum status_part part);

static inline void parts_begin(uint64_t now)
{
    uint64_t until = atomic_load_explicit(&control_page.parts_until, memory_order_relaxed);

    parts_since = unlikely(until) && now < until ? now : 0;
}

static inline void parts_end(enum status_part part)
{
    if (unlikely(parts_since))
        parts_note(part);
}

/* The fault is over: what this thread does next is none. */
static inline void parts_stop(void)
{
    parts_since = 0;
}

#endif
