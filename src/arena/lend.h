/* SPDX-License-Identifier: MIT */
/*
 * Giving way between the members of a pool: who needs memory asks the member whose objects are
 * oldest, and that one evicts in the background. With a private budget nothing happens here.
 *
 * Any thread with signals blocked and any fault handler may call these, inside the gate.
 */
#ifndef USWAP_ARENA_LEND_H
#define USWAP_ARENA_LEND_H

#include "base/base.h"

/* At start, after a pool was joined. */
int lend_init(void) must_check;

/* Ask for pages. false: nobody has older objects than this process, or those who have do not
 * answer: it must evict its own. */
bool lend_ask(uint32_t pages);

/* Ask, and wait a moment for what comes; *rounds counts the waits of one need. false: as above. */
bool lend_wait(uint32_t pages, unsigned *rounds);

/* Whether room in the pool is to be left to others: this process holds more than its fair part, and
 * one that holds less waits. */
bool lend_must_leave_room(void);

/* Give back what members that are dead by now held, if nobody looked just before. true: there were
 * some. */
bool lend_reap(void);

/* After a fault that took memory: say so to the others, and see that this process can be asked when
 * it has borrowed something. */
void lend_follow(void);

void lend_fork_child(void);

#endif
