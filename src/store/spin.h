/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread that waits for a read looks for its end again and again, for a short while,
 * before it sleeps. On a virtual machine a processor that goes idle leaves the guest; on a busy
 * host it is some time until it is back, milliseconds for one in a hundred. Elsewhere the device's
 * own thread wants the processor that looks. So both are tried, and what took less time is done.
 *
 * Limits: learned from all threads together, and for one kind of device.
 */
#ifndef USWAP_STORE_SPIN_H
#define USWAP_STORE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/* How long to look, at most. */
#define SPIN_NS 100000

/* How to wait now. Any thread, also in a fault handler. */
bool spin_choose(void);

/* How long the thread looked, and how long it was to the end of the wait. */
void spin_learn(bool spun, uint64_t looked_ns, uint64_t ns);

#endif
