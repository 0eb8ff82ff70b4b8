/* SPDX-License-Identifier: MIT */
/* System calls with their memory pinned. */
#ifndef USWAP_HEAP_GUARD_CALL_H
#define USWAP_HEAP_GUARD_CALL_H

#include "base/base.h"

/* Map the page with the stub, from which the filter lets every call pass. */
int guard_call_start(void) must_check;

/* Where that page is. */
uintptr_t guard_call_stub(void);

/*
 * Make the call with everything pinned that it uses, from the stub; the result, or -errno. Larger
 * transfers than may be pinned are done in parts. Signal-safe; leaves errno alone.
 */
long guard_call(long number, const long arguments[6]);

/* As guard_call() in one piece. */
struct guard_call;
long guard_call_once(const struct guard_call *call, long number, const long arguments[6]);

/* The same without pinning anything. */
long guard_call_plain(long number, const long arguments[6]);

/* Whether the call needs guard_call(): an argument points into the window, or to a structure that
 * may hold such a pointer. */
bool guard_call_needed(long number, const long arguments[6]);

#endif
