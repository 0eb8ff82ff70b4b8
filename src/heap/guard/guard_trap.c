/* SPDX-License-Identifier: MIT */
/*
 * A trapped call arrives as a SIGSYS right behind its instruction. The handler runs with the mask
 * of the program and on its stack (arena/sigstack.h), so while the call is made again from the
 * stub, the program's signals interrupt or restart it as they would have interrupted the call
 * itself, and their handlers see the stack they expect.
 *
 * Returning from the handler puts the interrupted context back, and with it the signal mask and the
 * signal stack: calls that change those change the context instead.
 */
#include "heap/guard/guard_trap.h"

#include "arena/sigstack.h"
#include "base/sigaction.h"
#include "base/sys.h"
#include "heap/guard/guard_arch.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/guard/guard_filter.h"
#include "heap/guard/guard_serve.h"
#include "heap/guard/guard_signal.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static void serve(siginfo_t *info, ucontext_t *context)
{
    long number = info->si_syscall;
    long arguments[6];
    bool thread_starts = number == GUARD_FILTER_TRAPPED + SYS_rt_sigprocmask;

    if (number >= GUARD_FILTER_TRAPPED)
        number -= GUARD_FILTER_TRAPPED;
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = guard_arch_argument(context, i);
    if (number == SYS_rt_sigreturn) {
        guard_dispatch_sigreturn(context);
        return;
    }
    if (guard_serve_moves_stack(number, arguments)) {
        guard_dispatch_pass(context, number);
        return;
    }
    guard_arch_set_result(context, guard_serve(number, arguments, context));
    if (thread_starts)
        guard_dispatch_enter();
}

static bool is_filtered(const siginfo_t *info)
{
    return info->si_code == SYS_SECCOMP && info->si_errno == GUARD_FILTER_MARK;
}

static bool is_dispatched(const siginfo_t *info)
{
    return info->si_code == GUARD_DISPATCH_CODE && guard_dispatch_is_ours();
}

static void handle(int signo, siginfo_t *info, void *context)
{
    sigstack_give(context);
    if (is_dispatched(info) && guard_dispatch_resume(context))
        return;
    if (is_filtered(info) || is_dispatched(info))
        serve(info, context);
    else
        guard_signal_forward(signo, info, context);
}

/* A call may wait, and signals arrive meanwhile: the signal stack must be free for them. Nor does
 * the kernel change a signal stack that is in use. */
static void arrive(int signo, siginfo_t *info, void *context)
{
    bool is_call = is_filtered(info) || is_dispatched(info);
    struct sigaction action = {.sa_flags = 0};

    sigstack_settle(context);
    if (!is_call)
        guard_signal_action(signo, NULL, &action);
    if (is_call && info->si_syscall == SYS_sigaltstack)
        sigstack_leave(signo, info, context, handle);
    else
        sigstack_run(action.sa_flags, signo, info, context, handle);
}

int guard_trap_start(void)
{
    struct sigaction action = {.sa_sigaction = arrive,
                               .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART | sigstack_flag()};
    sigblock_mask ours = guard_signal_ours();
    struct sigaction old;
    int error;

    sigstack_enter(arrive, 0);
    error = sigaction_raw(SIGSYS, &action, &old);

    if (error)
        return error;
    guard_signal_action(SIGSYS, &old, NULL);
    return (int)sys_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, sizeof(ours));
}
