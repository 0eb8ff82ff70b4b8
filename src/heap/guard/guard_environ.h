/* SPDX-License-Identifier: MIT */
/* Makes the environment usable by a child that shares our memory but has no handlers. */
#ifndef USWAP_HEAP_GUARD_ENVIRON_H
#define USWAP_HEAP_GUARD_ENVIRON_H

#include "heap/guard/guard_pins.h"

/*
 * Put the array that environ points to outside the window, for good, and pin its strings, between
 * guard_pins_open() and guard_pins_close(). Not in a signal handler.
 */
void guard_environ_hold(void);

#endif
