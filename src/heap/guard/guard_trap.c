/* SPDX-License-Identifier: MIT */
/*
 * A trapped call arrives as a SIGSYS right behind its instruction. The handler runs with the mask
 * of the program and on its stack, so while the call is made again from the stub, the program's
 * signals interrupt or restart it as they would have interrupted the call itself, and their
 * handlers see the stack they expect.
 *
 * Returning from the handler puts the interrupted context back, and with it the signal mask and the
 * signal stack: calls that change those change the context instead.
 */
#include "heap/guard/guard_trap.h"

#include "base/sigaction.h"
#include "base/sys.h"
#include "heap/guard/guard_arch.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_filter.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_signal.h"

#include <errno.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static sigblock_mask *context_mask(ucontext_t *context)
{
    return (sigblock_mask *)&context->uc_sigmask;
}

/* Both may be NULL, or lie in the window. */
static bool pin_pair(const void *a, const void *b, size_t size)
{
    return (!a || guard_pins_add(a, size) == 0) && (!b || guard_pins_add(b, size) == 0);
}

static int apply_mask(int how, sigblock_mask set, sigblock_mask *mask)
{
    set &= ~guard_signal_ours();
    if (how == SIG_BLOCK)
        *mask |= set;
    else if (how == SIG_UNBLOCK)
        *mask &= ~set;
    else if (how == SIG_SETMASK)
        *mask = set;
    else
        return -EINVAL;
    return 0;
}

static long change_mask(const long arguments[6], ucontext_t *context)
{
    const sigblock_mask *set = (const sigblock_mask *)arguments[1];
    sigblock_mask *old = (sigblock_mask *)arguments[2];
    guard_pins pins = guard_pins_open();
    long result = -EINVAL;

    if (arguments[3] != sizeof(sigblock_mask))
        goto out;
    result = -EFAULT;
    if (!pin_pair(set, old, sizeof(*set)))
        goto out;

    sigblock_mask *mask = context_mask(context);
    sigblock_mask before = *mask | guard_signal_note_mask((int)arguments[0], set);
    result = set ? apply_mask((int)arguments[0], *set, mask) : 0;
    if (old && !result)
        *old = before;
out:
    guard_pins_close(pins);
    return result;
}

/* What the kernel's rt_sigaction() takes and gives. */
struct raw_action {
    void (*handler)(int);
    unsigned long flags;
#if defined(__x86_64__)
    void (*restorer)(void);
#endif
    sigblock_mask mask;
};

static void action_from_raw(struct sigaction *action, const struct raw_action *raw)
{
    *action = (struct sigaction){.sa_handler = raw->handler, .sa_flags = (int)raw->flags};
    *(sigblock_mask *)&action->sa_mask = raw->mask;
}

static void action_to_raw(struct raw_action *raw, const struct sigaction *action)
{
    *raw = (struct raw_action){.handler = action->sa_handler,
                               .flags = (unsigned long)action->sa_flags};
    raw->mask = *(const sigblock_mask *)&action->sa_mask;
}

static long change_our_action(const long arguments[6])
{
    const struct raw_action *new = (const struct raw_action *)arguments[1];
    struct raw_action *old = (struct raw_action *)arguments[2];
    guard_pins pins = guard_pins_open();
    struct sigaction action, before;
    bool pinned = pin_pair(new, old, sizeof(*new));

    if (pinned && new)
        action_from_raw(&action, new);
    if (pinned)
        guard_signal_action((int)arguments[0], new ? &action : NULL, &before);
    if (pinned && old)
        action_to_raw(old, &before);
    guard_pins_close(pins);
    return pinned ? 0 : -EFAULT;
}

static long change_signal_stack(const long arguments[6], ucontext_t *context)
{
    const stack_t *new = (const stack_t *)arguments[0];
    long result = guard_call(SYS_sigaltstack, arguments);

    if (result == 0 && new)
        context->uc_stack = *new;
    return result;
}

static long serve(long number, const long arguments[6], ucontext_t *context)
{
    switch (number) {
    case SYS_rt_sigprocmask:
        return change_mask(arguments, context);
    case SYS_sigaltstack:
        return change_signal_stack(arguments, context);
    case SYS_rt_sigaction:
        if (guard_signal_is_ours((int)arguments[0]))
            return change_our_action(arguments);
        return guard_call(number, arguments);
    default:
        return guard_call(number, arguments);
    }
}

static void handle(int signo, siginfo_t *info, void *context)
{
    long arguments[6];

    if (info->si_code != SYS_SECCOMP || info->si_errno != GUARD_FILTER_MARK) {
        guard_signal_forward(signo, info, context);
        return;
    }
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = guard_arch_argument(context, i);
    guard_arch_set_result(context, serve(info->si_syscall, arguments, context));
}

int guard_trap_start(void)
{
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigblock_mask ours = guard_signal_ours();
    struct sigaction old;
    int error = sigaction_raw(SIGSYS, &action, &old);

    if (error)
        return error;
    guard_signal_action(SIGSYS, &old, NULL);
    return (int)sys_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, sizeof(ours));
}
