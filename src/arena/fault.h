/* SPDX-License-Identifier: MIT */
/* How a fault arrives, and what becomes of it. */
#ifndef USWAP_ARENA_FAULT_H
#define USWAP_ARENA_FAULT_H

#include "object/object.h"

#include <signal.h>

/* Install the SIGBUS handler. Whoever had the signal before gets what is not ours. */
int fault_start(void) must_check;

/*
 * Bring the object of a page in (with read-ahead, if it helps) unless it is resident. Inside the
 * gate, signals blocked, no locks. -EFAULT: the page is not mapped; -EIO: it cannot be read;
 * -ENOMEM: the kernel has no memory for it.
 */
int fault_resolve(object_t page) must_check;

/* The same, and give the object a pin. */
int fault_resolve_pinned(object_t page) must_check;

/*
 * What the program wants done with a SIGBUS that is not ours: the preload library's sigaction()
 * sets it here instead of in the kernel. Only SIGBUS. Any thread.
 */
void fault_set_program_action(int signo, const struct sigaction *action);
void fault_get_program_action(int signo, struct sigaction *action);

#endif
