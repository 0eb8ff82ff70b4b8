/* SPDX-License-Identifier: MIT */
/*
 * A guest is a process that uses the memory of this one: the child of vfork(), or of clone() with
 * CLONE_VM. It may be killed at any instruction, and what it had begun would stay begun: an object
 * that is BUSY for ever, a lock, the gate. So it does nothing itself: what it misses is brought in
 * by a process that is made for that and that nobody knows, so nobody kills it.
 *
 * Whoever kills all processes at once that he may kills the owner of the memory, too.
 */
#ifndef USWAP_ARENA_GUEST_H
#define USWAP_ARENA_GUEST_H

#include "object/object.h"

#include <signal.h>
#include <ucontext.h>

/* In the handler of a fault: whether it was a guest's, and is resolved. What cannot be brought in
 * is the program's, or ends the guest: as for the process itself. */
bool guest_resolve(const siginfo_t *info, const ucontext_t *context) must_check;

/* Whether the process that runs here is a guest: a system call. */
bool guest_here(void);

/* Have these pages made resident, and writable; -errno of what cannot be. Signals may be open. */
int guest_bring(object_t first, object_t last) must_check;

#endif
