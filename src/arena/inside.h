/* SPDX-License-Identifier: MIT */
/* Inside the engine: signals blocked and the gate passed. Every entrance but the fault handler's.
 */
#ifndef USWAP_ARENA_INSIDE_H
#define USWAP_ARENA_INSIDE_H

#include "base/sigblock.h"

struct inside {
    sigblock_mask mask;
};

struct inside inside_enter(void);
void inside_leave(struct inside inside);

#endif
