/* SPDX-License-Identifier: MIT */
/* The interposed syscall(): what a call would find interposed by name, it finds here. */
#include "arena/arena.h"
#include "base/sys.h"
#include "heap/guard/guard_fd.h"
#include "heap/guard/guard_rawsignal.h"
#include "heap/guard/guard_real.h"

#include <linux/sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static long change_mask(const long arguments[6])
{
    sigblock_mask mask;
    long result = sys_call(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof(mask));

    if (!result)
        result = guard_rawsignal_mask(arguments, &mask);
    if (!result)
        result = sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    return result;
}

/* Whether the call makes a process with memory of its own, which goes on where we are. */
static bool is_fork(long number, const long arguments[6])
{
    const struct clone_args *clone = (const struct clone_args *)arguments[0];

    switch (number) {
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork: /* its child could not return from here */
        return true;
#endif
    case SYS_clone:
        return !(arguments[0] & CLONE_VM) && !arguments[1];
    case SYS_clone3:
        return clone && !(clone->flags & CLONE_VM) && !clone->stack;
    default:
        return false;
    }
}

static long make_process(long number, const long arguments[6])
{
    sigblock_mask before = sigblock_enter();
    long result = arena_fork_prepare();

#ifdef SYS_vfork
    if (number == SYS_vfork)
        number = SYS_fork;
#endif
    if (!result) {
        result = guard_call_plain(number, arguments);
        if (result == 0)
            arena_fork_child();
        else if (result > 0)
            arena_fork_parent();
        else
            arena_fork_failed();
    }
    sigblock_leave(before);
    return result;
}

/* What is interposed for more than its buffers. False: nothing of that kind. */
static bool interposed(long number, const long arguments[6], long *result)
{
    switch (number) {
    case SYS_rt_sigprocmask:
        *result = guard_result(change_mask(arguments));
        return true;
    case SYS_rt_sigaction:
        if (!guard_signal_is_ours((int)arguments[0]))
            return false;
        *result = guard_result(guard_rawsignal_action(arguments));
        return true;
    case SYS_sigaltstack:
        *result = sigaltstack((const stack_t *)arguments[0], (stack_t *)arguments[1]);
        return true;
    case SYS_close:
        *result = close((int)arguments[0]);
        return true;
    case SYS_close_range:
        *result = guard_result(guard_fd_close_range((unsigned)arguments[0], (unsigned)arguments[1],
                                                    (unsigned)arguments[2]));
        return true;
    default:
        return false;
    }
}

/* Calls that return on another stack take no pointer that the guard cares for: libc makes them. */
exported long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    long result;

    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (is_fork(number, arguments))
        return guard_result(make_process(number, arguments));
    if (interposed(number, arguments, &result))
        return result;
    if (guard_call_needed(number, arguments))
        return guard_result(guard_call(number, arguments));
    return REAL(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}
