/* SPDX-License-Identifier: MIT */
/*
 * The gate: everybody who is about to change objects passes it, so that fork can wait until nobody
 * is at it and keep everybody out. The thread that closed the gate passes freely.
 */
#ifndef USWAP_ARENA_GATE_H
#define USWAP_ARENA_GATE_H

#include "base/base.h"

void gate_enter(void);
void gate_leave(void);

/* How many are inside, at this moment. */
uint32_t gate_count(void);

/* Whether nobody else is inside, at this moment. */
bool gate_alone(void) must_check;

/* Wait until nobody is inside, and let nobody in. One thread at a time. */
void gate_close(void);
void gate_open(void);

/* In the child of fork, before it has other threads: closed by this one, with nobody on the way in,
 * as some may have been in the parent. */
void gate_fork_child(void);

#endif
