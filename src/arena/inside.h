/* SPDX-License-Identifier: MIT */
/* Inside the engine: signals blocked, the gate passed, and the stack that we stand on held. Every
 * entrance but the fault handler's. */
#ifndef USWAP_ARENA_INSIDE_H
#define USWAP_ARENA_INSIDE_H

#include "arena/ground.h"
#include "base/sigblock.h"

struct inside {
    struct ground ground;
    sigblock_mask mask;
};

struct inside inside_enter(void);
void inside_leave(struct inside inside);

#endif
