/* SPDX-License-Identifier: MIT */
/*
 * Processes that a program makes with clone() or by system call.
 *
 * One with memory of its own is a fork: its window must be watched before anything touches it. One
 * that shares our memory needs nothing, but that the kernel finds in memory what it writes when the
 * process begins and ends, and its stack.
 *
 * A process with memory of its own gets descriptors of its own, too, even if it was to share them:
 * it opens and closes some of ours, and what says that it lives is a descriptor that it alone has.
 *
 * What of the memory of a process that shares it is in the window stays pinned, for nobody tells
 * when the process has ended.
 */
#include "heap/guard/guard_process.h"

#include "arena/arena.h"
#include "base/sys.h"
#include "heap/fork.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_stack.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* ---- By system call ---- */

/* The same call without what cannot be. copy is where clone_args go. */
static void adapt(long *number, long arguments[6], struct clone_args *copy)
{
    const struct clone_args *given = (const struct clone_args *)arguments[0];
    size_t size = (size_t)arguments[1];

#ifdef SYS_vfork
    if (*number == SYS_vfork) /* its child could not return from here */
        *number = SYS_fork;
#endif
    /* With CLONE_VM only where it stands for vfork(). */
    if (*number == SYS_clone)
        arguments[0] &= ~(CLONE_FILES | CLONE_VM | CLONE_VFORK);
    if (*number != SYS_clone3 || size > sizeof(*copy))
        return;
    __builtin_memcpy(copy, given, size);
    copy->flags &= ~(uint64_t)CLONE_FILES;
    arguments[0] = (long)copy;
}

long guard_process_fork(long number, const long arguments[6])
{
    long adapted[6];
    struct clone_args copy;
    sigblock_mask before;
    long result;

    __builtin_memcpy(adapted, arguments, sizeof(adapted));
    adapt(&number, adapted, &copy);
    result = fork_bare_begin(&before);
    if (result)
        return result;
    result = guard_call_plain(number, adapted);
    fork_bare_end(result, before);
    return result;
}

/* ---- clone() ---- */

typedef int (*body)(void *);

/* What the kernel uses of a process that is made, besides its memory. */
struct extras {
    pid_t *parent_tid;
    void *tls;
    pid_t *child_tid;
};

/* What the child needs: on the stack of its parent, of which it has a copy. */
struct start {
    body run;
    void *argument;
    sigblock_mask before;
    guard_pins pins;
};

/* libc would end this thread alone, and the process would live on in threads of ours. */
static int begin(void *given)
{
    const struct start start = *(struct start *)given;

    fork_bare_end(0, start.before);
    guard_pins_close(start.pins);
    sys_call(SYS_exit_group, start.run(start.argument));
    return 0;
}

/* The kernel does not say when it cannot write these. */
static void pin_extras(int flags, const struct extras *extras)
{
    if (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD))
        guard_pins_add_up_to(extras->parent_tid, sizeof(pid_t));
    if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
        guard_pins_add_up_to(extras->child_tid, sizeof(pid_t));
}

static int clone_plainly(body run, void *stack, int flags, void *argument,
                         const struct extras *extras)
{
    return REAL(clone)(run, stack, flags, argument, extras->parent_tid, extras->tls,
                       extras->child_tid);
}

static int clone_apart(body run, void *stack, int flags, void *argument,
                       const struct extras *extras)
{
    struct start start = {run, argument, 0, guard_pins_open()};
    void *held = guard_stack_hold_below(stack);
    int result = -1;

    pin_extras(flags, extras);
    int error = fork_bare_begin(&start.before);
    if (error) {
        errno = -error;
    } else {
        result = clone_plainly(begin, stack, flags & ~CLONE_FILES, &start, extras);
        fork_bare_end(result, start.before);
    }
    guard_stack_let_go(held);
    guard_pins_close(start.pins);
    return result;
}

static int clone_sharing(body run, void *stack, int flags, void *argument,
                         const struct extras *extras)
{
    void *held = guard_stack_hold_below(stack);
    guard_pins pins = guard_pins_open();
    int result;

    pin_extras(flags, extras);
    if (flags & CLONE_CHILD_CLEARTID && in_window(extras->child_tid))
        (void)!arena_pin(extras->child_tid, sizeof(pid_t));
    result = clone_plainly(run, stack, flags, argument, extras);
    guard_pins_close(pins);
    if (result < 0 || flags & CLONE_VFORK)
        guard_stack_let_go(held);
    return result;
}

exported int clone(body run, void *stack, int flags, void *argument, ...)
{
    struct extras extras;
    va_list list;

    va_start(list, argument);
    extras.parent_tid = va_arg(list, pid_t *);
    extras.tls = va_arg(list, void *);
    extras.child_tid = va_arg(list, pid_t *);
    va_end(list);
    if (!run || !stack)
        return clone_plainly(run, stack, flags, argument, &extras);
    if (flags & CLONE_VM)
        return clone_sharing(run, stack, flags, argument, &extras);
    return clone_apart(run, stack, flags, argument, &extras);
}

/* libc's other name for it. */
exported __typeof__(clone) __clone same_as(clone);
