/* SPDX-License-Identifier: MIT */
/* Pinning from inside: arena.h has the rest. */
#ifndef USWAP_ARENA_PIN_H
#define USWAP_ARENA_PIN_H

#include "object/object.h"

/* Pin the pages if all are resident; without a system call, also outside the gate and with signals
 * open. */
bool pin_if_resident(object_t first, object_t last) must_check;

/* arena_pin() of pages, inside the gate, signals blocked. */
int pin_pages(object_t first, object_t last) must_check;

/* For a time that nobody knows: -ENOMEM while others still can pin. */
int pin_locked(object_t first, object_t last) must_check;

#endif
