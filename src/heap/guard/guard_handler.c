/* SPDX-License-Identifier: MIT */
/*
 * Who is interrupted by a change of action may run the handler that comes next, not the one before.
 * A handler that was replaced by none stays here; then the kernel does not call us.
 */
#include "heap/guard/guard_handler.h"

#include "arena/guest.h"
#include "arena/sigstack.h"
#include "base/sigaction.h"

#include <stdatomic.h>
#include <stdint.h>

static _Atomic guard_handler handlers[_NSIG];
static _Atomic bool added[_NSIG]; /* SA_ONSTACK */

static bool is_signal(int signo)
{
    return signo > 0 && signo < _NSIG;
}

/* The kernel ends a program whose stack has no place for the frame. Here that is the move which
 * failed, and the access is repeated. */
static bool must_end(int signo, const ucontext_t *context)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};

    return signo == SIGSEGV && sigstack_is_interrupted(context) &&
           sigaction_raw(signo, &by_default, NULL) == 0;
}

static void go_on(int flags, int signo, siginfo_t *info, void *context)
{
    frame_handler handler = (frame_handler)(uintptr_t)atomic_load(&handlers[signo]);

    sigstack_settle(context);
    if (!must_end(signo, context))
        sigstack_run(flags, signo, info, context, handler);
}

/* On x86-64 the kernel passes all three arguments, whatever the flags say. */
static void arrive(int signo, siginfo_t *info, void *context)
{
    go_on(0, signo, info, context);
}

/* The program set SA_ONSTACK itself. */
static void arrive_on_stack(int signo, siginfo_t *info, void *context)
{
    go_on(SA_ONSTACK, signo, info, context);
}

void guard_handler_start(void)
{
    sigstack_enter(arrive, 0);
    sigstack_enter(arrive_on_stack, SA_ONSTACK);
}

static guard_handler arrival(bool on_stack)
{
    return (guard_handler)(uintptr_t)(on_stack ? arrive_on_stack : arrive);
}

static bool is_arrival(guard_handler handler)
{
    return handler == arrival(false) || handler == arrival(true);
}

struct guard_handler_kept guard_handler_kept(int signo)
{
    struct guard_handler_kept kept = {SIG_DFL, 0};

    if (is_signal(signo)) {
        kept.handler = atomic_load(&handlers[signo]);
        kept.added = atomic_load(&added[signo]) ? SA_ONSTACK : 0;
    }
    return kept;
}

/* A process that shares our memory, as a child of vfork(), may have actions of its own: they are
 * not kept. */
void guard_handler_wrap(int signo, guard_handler *handler, unsigned long *flags)
{
    bool is_code = *handler != SIG_DFL && *handler != SIG_IGN;
    bool on_stack = *flags & SA_ONSTACK;

    if (!is_signal(signo) || is_arrival(*handler) || !sigstack_flag() || guest_here())
        return;
    atomic_store(&added[signo], is_code && !on_stack);
    if (!is_code)
        return;
    atomic_store(&handlers[signo], *handler);
    *handler = arrival(on_stack);
    *flags |= SA_ONSTACK;
}

void guard_handler_unwrap(struct guard_handler_kept before, guard_handler *handler,
                          unsigned long *flags)
{
    if (is_arrival(*handler))
        *handler = before.handler;
    *flags &= ~before.added;
}
