/* SPDX-License-Identifier: MIT */
/* Advice that concerns objects: the rest is in arena.h and region.h. */
#ifndef USWAP_ARENA_ADVISE_H
#define USWAP_ARENA_ADVISE_H

#include "object/object.h"

/* Bring pages in as far as that displaces nothing. Inside the gate. */
int advise_will_need(object_t first, uint32_t count) must_check;

/* Let the objects of the pages be the next to leave. Inside the gate. */
void advise_cold(object_t first, uint32_t count);

#endif
