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

/* What the program put into sa_mask of our signals, for each signal: bit 0 SIGBUS, bit 1 SIGSYS. */
static _Atomic uint8_t masked_in[_NSIG];

static uint8_t squeeze(sigblock_mask bits)
{
    return (uint8_t)((bits & sigblock_bit(SIGBUS) ? 1 : 0) | (bits & sigblock_bit(SIGSYS) ? 2 : 0));
}

static sigblock_mask expand(uint8_t squeezed)
{
    return (squeezed & 1 ? sigblock_bit(SIGBUS) : 0) | (squeezed & 2 ? sigblock_bit(SIGSYS) : 0);
}

sigblock_mask guard_signal_note_hidden(int signo, const sigblock_mask *set)
{
    return expand(set ? atomic_exchange(&masked_in[signo], squeeze(*set))
                      : atomic_load(&masked_in[signo]));
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

/* As the kernel keeps it: nobody can block these two. */
static struct sigaction kept(const struct sigaction *action)
{
    struct sigaction copy = *action;

    sigdelset(&copy.sa_mask, SIGKILL);
    sigdelset(&copy.sa_mask, SIGSTOP);
    return copy;
}

void guard_signal_action(int signo, const struct sigaction *action, struct sigaction *old)
{
    struct sigaction fresh;

    if (action)
        fresh = kept(action);
    if (old && signo == SIGBUS)
        fault_get_program_action(signo, old);
    else if (old)
        read_action(old);
    if (action && signo == SIGBUS)
        fault_set_program_action(signo, &fresh);
    else if (action)
        write_action(&fresh);
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
