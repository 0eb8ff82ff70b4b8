/* SPDX-License-Identifier: MIT */
/* The SIGSYS handler: serves the calls that the filter traps. */
#ifndef USWAP_HEAP_GUARD_TRAP_H
#define USWAP_HEAP_GUARD_TRAP_H

#include "base/base.h"

int guard_trap_start(void) must_check;

#endif
