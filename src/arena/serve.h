/* SPDX-License-Identifier: MIT */
/*
 * Does what others ask for on the control page (observe/control.h), and what is due once a second.
 *
 * A thread of our own waits for requests, so that an idle process obeys, too; it is made when the
 * process has more memory resident than the smallest budget. A smaller process has nothing to give
 * up: it looks at each fault, and has no thread.
 */
#ifndef USWAP_ARENA_SERVE_H
#define USWAP_ARENA_SERVE_H

#include "observe/control.h"
#include "observe/status.h"

void serve_slowly(uint64_t now);

/* At the end of a fault that began at `now`: gate passed, signals blocked, no lock held. */
static inline void serve_look(uint64_t now)
{
    if (unlikely(!atomic_load_explicit(&status_page.control_thread, memory_order_relaxed) ||
                 status_second_over(now)))
        serve_slowly(now);
}

/* The process whose memory this is; a child of vfork() is not it. At start and after a fork. */
void serve_start(void);

#endif
