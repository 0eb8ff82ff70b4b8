/* SPDX-License-Identifier: MIT */
/*
 * The program's side of the two signals. Its mask bits are per thread and known to that thread
 * alone; a new thread starts with none. Its action for SIGSYS is read by the handler under a
 * sequence count, which is odd while the action is written; that for SIGBUS the fault handler
 * keeps.
 */
#include "heap/guard/guard_signal.h"

#include "arena/fault.h"
#include "base/sigaction.h"
#include "base/sys.h"

#include <stdatomic.h>

static __thread sigblock_mask blocked;

static struct {
    _Atomic uint32_t sequence;
    struct sigaction action;
} program;

sigblock_mask guard_signal_note_mask(int how, const sigblock_mask *set)
{
    sigblock_mask before = blocked;

    if (!set)
        return before;
    if (how == SIG_BLOCK)
        blocked |= *set & guard_signal_ours();
    else if (how == SIG_UNBLOCK)
        blocked &= ~*set;
    else if (how == SIG_SETMASK)
        blocked = *set & guard_signal_ours();
    return before;
}

static void read_action(struct sigaction *action)
{
    uint32_t before;

    do {
        before = atomic_load(&program.sequence);
        *action = program.action;
    } while (before % 2 || atomic_load(&program.sequence) != before);
}

static void write_action(const struct sigaction *action)
{
    sigblock_mask mask = sigblock_enter();
    uint32_t even = atomic_load(&program.sequence) & ~1u;

    while (!atomic_compare_exchange_weak(&program.sequence, &even, even + 1))
        even &= ~1u;
    program.action = *action;
    atomic_store(&program.sequence, even + 2);
    sigblock_leave(mask);
}

void guard_signal_action(int signo, const struct sigaction *action, struct sigaction *old)
{
    if (old && signo == SIGBUS)
        fault_get_program_action(signo, old);
    else if (old)
        read_action(old);
    if (action && signo == SIGBUS)
        fault_set_program_action(signo, action);
    else if (action)
        write_action(action);
}

/* The handler returns to the program with the default action in force, and the signal pending. */
static void die_of(int signo, const siginfo_t *info)
{
    struct sigaction by_default = {.sa_handler = SIG_DFL};

    if (sigaction_raw(signo, &by_default, NULL) == 0)
        sys_call(SYS_rt_tgsigqueueinfo, sys_call(SYS_getpid), sys_call(SYS_gettid), signo, info);
}

static void call_program(int signo, siginfo_t *info, void *context, const struct sigaction *action)
{
    sigblock_mask added = guard_signal_bits(&action->sa_mask) & ~guard_signal_ours();

    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, &added, NULL, sizeof(added));
    if (action->sa_flags & SA_RESETHAND)
        write_action(&(struct sigaction){.sa_handler = SIG_DFL});
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signo, info, context);
    else
        action->sa_handler(signo);
}

void guard_signal_forward(int signo, siginfo_t *info, void *context)
{
    struct sigaction action;
    bool was_sent = info->si_code <= 0;

    read_action(&action);
    if (action.sa_handler == SIG_IGN && was_sent)
        return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
        die_of(signo, info);
    else
        call_program(signo, info, context, &action);
}
