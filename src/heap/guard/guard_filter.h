/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter: a call with a pointer into the window, made from anywhere but the stub page,
 * raises SIGSYS. It looks at argument registers only and never traps a call of a program that has
 * no memory at those addresses; so programs that are exec'd under it and know nothing of uswap are
 * not harmed.
 */
#ifndef USWAP_HEAP_GUARD_FILTER_H
#define USWAP_HEAP_GUARD_FILTER_H

#include "base/base.h"

/* The si_errno of a SIGSYS that this filter raised. */
#define GUARD_FILTER_MARK 0x5577

/* A call with its number plus this one is always trapped. No program makes one by itself. */
#define GUARD_FILTER_TRAPPED 0xf400

/*
 * Put the filter in force for all threads, unless one for the same window and stub is in force
 * already, inherited from a parent. -EPERM, -ENOSYS, -EINVAL...: seccomp is refused.
 */
int guard_filter_start(void) must_check;

#endif
