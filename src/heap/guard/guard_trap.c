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
#include "heap/guard/guard_rawsignal.h"
#include "heap/guard/guard_signal.h"
#include "heap/guard/guard_stack.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static sigblock_mask *context_mask(ucontext_t *context)
{
    return (sigblock_mask *)&context->uc_sigmask;
}

static long change_signal_stack(const long arguments[6], ucontext_t *context)
{
    const stack_t *new = (const stack_t *)arguments[0];
    long result = guard_call(SYS_sigaltstack, arguments);

    if (result == 0 && new) {
        context->uc_stack = *new;
        guard_stack_signals(new);
    }
    return result;
}

static long serve(long number, const long arguments[6], ucontext_t *context)
{
    switch (number) {
    case SYS_rt_sigprocmask:
        return guard_rawsignal_mask(arguments, context_mask(context));
    case SYS_sigaltstack:
        return change_signal_stack(arguments, context);
    case SYS_rt_sigaction:
        if (guard_signal_is_ours((int)arguments[0]))
            return guard_rawsignal_action(arguments);
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
    long number = info->si_syscall;
    if (number >= GUARD_FILTER_TRAPPED)
        number -= GUARD_FILTER_TRAPPED;
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = guard_arch_argument(context, i);
    guard_arch_set_result(context, serve(number, arguments, context));
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
