/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions of signals: actions, masks, and waits with a mask. The sets they are
 * given are stripped of our signals on their way to the kernel, and completed on their way back.
 */
#include "base/sys.h"
#include "heap/guard/guard_handler.h"
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_signal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

/* ---- Sets ---- */

static void set_bits(sigset_t *set, sigblock_mask bits)
{
    memcpy(set, &bits, sizeof(bits));
}

/* A copy without our signals; NULL stays NULL. */
static const sigset_t *stripped(const sigset_t *set, sigset_t *copy)
{
    if (!set)
        return NULL;
    *copy = *set;
    set_bits(copy, guard_signal_bits(set) & ~guard_signal_ours());
    return copy;
}

/* ---- Actions ---- */

static void wrap(int signo, struct sigaction *action)
{
    unsigned long flags = (unsigned)action->sa_flags;

    guard_handler_wrap(signo, &action->sa_handler, &flags);
    action->sa_flags = (int)flags;
}

static void unwrap(struct guard_handler_kept before, struct sigaction *action)
{
    unsigned long flags = (unsigned)action->sa_flags;

    guard_handler_unwrap(before, &action->sa_handler, &flags);
    action->sa_flags = (int)flags;
}

static int change_action(int signo, const struct sigaction *action, struct sigaction *old)
{
    sigblock_mask bits = action ? guard_signal_bits(&action->sa_mask) : 0;
    struct guard_handler_kept before = guard_handler_kept(signo);
    struct sigaction copy;

    if (action) {
        copy = *action;
        set_bits(&copy.sa_mask, bits & ~guard_signal_ours());
        wrap(signo, &copy);
    }
    if (REAL(sigaction)(signo, action ? &copy : NULL, old))
        return -1;

    unwrap(before, old);
    set_bits(&old->sa_mask, guard_signal_bits(&old->sa_mask) |
                                guard_signal_note_hidden(signo, action ? &bits : NULL));
    return 0;
}

/* The arguments may lie in the window, or be the same: everything goes through copies. */
exported int sigaction(int signo, const struct sigaction *restrict action,
                       struct sigaction *restrict old)
{
    struct sigaction fresh, before;

    if (action)
        fresh = *action;
    if (guard_signal_is_ours(signo))
        guard_signal_action(signo, action ? &fresh : NULL, &before);
    else if (change_action(signo, action ? &fresh : NULL, &before))
        return -1;
    if (old)
        *old = before;
    return 0;
}

static sighandler_t set_our_handler(int signo, sighandler_t handler, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct sigaction old;

    guard_signal_action(signo, &action, &old);
    return old.sa_handler;
}

/* libc knows the flags; then the action is wrapped. */
static sighandler_t set_handler(int signo, sighandler_t handler,
                                sighandler_t (*set)(int, sighandler_t))
{
    struct guard_handler_kept before = guard_handler_kept(signo);
    unsigned long flags = 0;
    sighandler_t old = set(signo, handler);
    struct sigaction action;

    if (old == SIG_ERR)
        return SIG_ERR;
    guard_handler_unwrap(before, &old, &flags);
    if (handler != SIG_DFL && handler != SIG_IGN && REAL(sigaction)(signo, NULL, &action) == 0) {
        wrap(signo, &action);
        if (REAL(sigaction)(signo, &action, NULL))
            return SIG_ERR;
    }
    return old;
}

sighandler_t bsd_signal(int signo, sighandler_t handler);
sighandler_t __sysv_signal(int signo, sighandler_t handler);

exported sighandler_t signal(int signo, sighandler_t handler)
{
    if (guard_signal_is_ours(signo))
        return set_our_handler(signo, handler, SA_RESTART);
    return set_handler(signo, handler, REAL(signal));
}

exported sighandler_t bsd_signal(int signo, sighandler_t handler)
{
    return signal(signo, handler);
}

exported sighandler_t ssignal(int signo, sighandler_t handler)
{
    return signal(signo, handler);
}

exported sighandler_t __sysv_signal(int signo, sighandler_t handler)
{
    if (guard_signal_is_ours(signo))
        return set_our_handler(signo, handler, (int)(SA_RESETHAND | SA_NODEFER));
    return set_handler(signo, handler, REAL(__sysv_signal));
}

exported sighandler_t sysv_signal(int signo, sighandler_t handler)
{
    return __sysv_signal(signo, handler);
}

/* ---- Masks ---- */

/* As libc does, leave its own signals open. */
static int change_mask(int how, const sigset_t *set, sigset_t *old)
{
    const sigblock_mask of_libc = sigblock_bit(32) | sigblock_bit(33);
    sigblock_mask bits = set ? guard_signal_bits(set) : 0;
    sigblock_mask open = bits & ~(guard_signal_ours() | of_libc);
    sigblock_mask before;
    long error = sys_call(SYS_rt_sigprocmask, how, set ? &open : NULL, &before, sizeof(before));

    if (error)
        return (int)-error;
    before |= guard_signal_note_mask(how, set ? &bits : NULL);
    if (old) {
        sigemptyset(old);
        set_bits(old, before);
    }
    return 0;
}

exported int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return change_mask(how, set, old);
}

exported int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    int error = change_mask(how, set, old);

    if (!error)
        return 0;
    errno = error;
    return -1;
}

/* ---- System V and BSD: libc's would change our signals, too ---- */

static bool set_of(int signo, sigset_t *set)
{
    return sigemptyset(set) == 0 && sigaddset(set, signo) == 0;
}

exported sighandler_t sigset(int signo, sighandler_t handler)
{
    bool holds = handler == SIG_HOLD;
    struct sigaction action = {.sa_handler = handler}, old;
    sigset_t set, before;

    if (!set_of(signo, &set) || sigaction(signo, holds ? NULL : &action, &old) ||
        sigprocmask(holds ? SIG_BLOCK : SIG_UNBLOCK, &set, &before))
        return SIG_ERR;
    return sigismember(&before, signo) ? SIG_HOLD : old.sa_handler;
}

exported int sigignore(int signo)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    return sigaction(signo, &action, NULL);
}

exported int sighold(int signo)
{
    sigset_t set;

    return set_of(signo, &set) ? sigprocmask(SIG_BLOCK, &set, NULL) : -1;
}

exported int sigrelse(int signo)
{
    sigset_t set;

    return set_of(signo, &set) ? sigprocmask(SIG_UNBLOCK, &set, NULL) : -1;
}

static int change_low_bits(int how, int mask)
{
    sigset_t set, before;

    sigemptyset(&set);
    set_bits(&set, (unsigned)mask);
    return sigprocmask(how, &set, &before) ? -1 : (int)guard_signal_bits(&before);
}

exported int sigblock(int mask)
{
    return change_low_bits(SIG_BLOCK, mask);
}

exported int sigsetmask(int mask)
{
    return change_low_bits(SIG_SETMASK, mask);
}

/* ---- Waits ---- */

exported int sigsuspend(const sigset_t *set)
{
    sigset_t copy;

    return REAL(sigsuspend)(stripped(set, &copy));
}

exported int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout,
                   const sigset_t *set)
{
    sigset_t copy;

    return REAL(ppoll)(polled, count, timeout, stripped(set, &copy));
}

exported int pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                     const struct timespec *timeout, const sigset_t *set)
{
    sigset_t copy;

    return REAL(pselect)(count, readable, writable, exceptional, timeout, stripped(set, &copy));
}

exported int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout,
                         const sigset_t *set)
{
    sigset_t copy;

    return REAL(epoll_pwait)(fd, events, count, timeout, stripped(set, &copy));
}
