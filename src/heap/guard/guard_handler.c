/* SPDX-License-Identifier: MIT */
/*
 * Who is interrupted by a change of action may run the handler that comes next, not the one before.
 * A handler that was replaced by none stays here; then the kernel does not call us.
 */
#include "heap/guard/guard_handler.h"

#include "arena/sigstack.h"

#include <stdatomic.h>
#include <stdint.h>

static _Atomic guard_handler handlers[_NSIG];

/* On x86-64 the kernel passes all three arguments, whatever the flags say. */
static void arrive(int signo, siginfo_t *info, void *context)
{
    sigstack_run(0, signo, info, context, (frame_handler)(uintptr_t)guard_handler_of(signo));
}

static guard_handler arrival(void)
{
    return (guard_handler)(uintptr_t)arrive;
}

guard_handler guard_handler_of(int signo)
{
    return signo > 0 && signo < _NSIG ? atomic_load(&handlers[signo]) : SIG_DFL;
}

void guard_handler_wrap(int signo, guard_handler *handler, unsigned long *flags)
{
    if (*handler == SIG_DFL || *handler == SIG_IGN || *handler == arrival() ||
        *flags & SA_ONSTACK || !sigstack_flag() || signo <= 0 || signo >= _NSIG)
        return;
    atomic_store(&handlers[signo], *handler);
    *handler = arrival();
    *flags |= SA_ONSTACK;
}

void guard_handler_unwrap(guard_handler of, guard_handler *handler, unsigned long *flags)
{
    if (*handler != arrival())
        return;
    *handler = of;
    *flags &= ~(unsigned long)SA_ONSTACK;
}
