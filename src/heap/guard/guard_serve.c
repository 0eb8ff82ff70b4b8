/* SPDX-License-Identifier: MIT */
/* A table of the calls that are more to the library than the memory they use. */
#include "heap/guard/guard_serve.h"

#include "arena/arena.h"
#include "base/sys.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/guard/guard_fd.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_process.h"
#include "heap/guard/guard_rawsignal.h"
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_stack.h"
#include "heap/guard/guard_table.h"
#include "heap/guard/guard_uring.h"
#include "heap/guard/guard_walk.h"
#include "heap/map/map.h"

#include <errno.h>
#include <linux/sched.h>
#include <string.h>

typedef long (*serve_fn)(long number, const long arguments[6], ucontext_t *context);

/* ---- Signals ---- */

static long serve_mask(long number, const long arguments[6], ucontext_t *context)
{
    sigblock_mask mask;
    long result;

    if (context)
        return guard_rawsignal_mask(arguments, (sigblock_mask *)&context->uc_sigmask);
    result = sys_call(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof(mask));
    if (!result)
        result = guard_rawsignal_mask(arguments, &mask);
    if (!result)
        result = sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    return result;
}

static long serve_action(long number, const long arguments[6], ucontext_t *context)
{
    return guard_rawsignal_action(arguments);
}

static long serve_signal_stack(long number, const long arguments[6], ucontext_t *context)
{
    const stack_t *new = (const stack_t *)arguments[0];
    long changed[6] = {arguments[0], arguments[1]};
    guard_pins pins = guard_pins_open();
    stack_t effective;
    long result;

    if (new &&guard_walk_readable(new, sizeof(*new))) {
        effective = guard_stack_effective(new);
        changed[0] = (long)&effective;
    }
    guard_pins_close(pins);
    result = guard_call(number, changed);
    if (result)
        return result;
    if (arguments[1])
        guard_stack_hide((stack_t *)arguments[1]);
    if (new &&context)
        context->uc_stack = effective;
    if (new)
        guard_stack_signals(&effective);
    return 0;
}

/* The call with a copy of its mask that leaves our signals open. */
static long wait_with_mask(long number, const long arguments[6], unsigned index)
{
    const sigblock_mask *mask = (const sigblock_mask *)arguments[index];
    sigblock_mask open;
    long changed[6];

    memcpy(changed, arguments, sizeof(changed));
    if (mask && guard_walk_readable(mask, sizeof(*mask))) {
        open = *mask & ~guard_signal_ours();
        changed[index] = (long)&open;
    }
    return guard_call(number, changed);
}

static long serve_suspend(long number, const long arguments[6], ucontext_t *context)
{
    return wait_with_mask(number, arguments, 0);
}

static long serve_poll(long number, const long arguments[6], ucontext_t *context)
{
    return wait_with_mask(number, arguments, 3);
}

static long serve_epoll(long number, const long arguments[6], ucontext_t *context)
{
    return wait_with_mask(number, arguments, 4);
}

/* The mask of pselect() lies behind a pointer. */
static long serve_select(long number, const long arguments[6], ucontext_t *context)
{
    struct {
        const sigblock_mask *mask;
        size_t size;
    } pair;
    sigblock_mask open;
    long changed[6];

    memcpy(changed, arguments, sizeof(changed));
    if (arguments[5] && guard_walk_readable((void *)arguments[5], sizeof(pair))) {
        memcpy(&pair, (void *)arguments[5], sizeof(pair));
        if (pair.mask && guard_walk_readable(pair.mask, sizeof(open))) {
            open = *pair.mask & ~guard_signal_ours();
            pair.mask = &open;
        }
        changed[5] = (long)&pair;
    }
    return guard_call(number, changed);
}

/* ---- Descriptors ---- */

static long serve_close(long number, const long arguments[6], ucontext_t *context)
{
    if (guard_fd_is_ours((int)arguments[0]))
        return -EBADF;
    guard_uring_close((int)arguments[0]);
    return guard_call_plain(number, arguments);
}

static long serve_dup(long number, const long arguments[6], ucontext_t *context)
{
    return guard_fd_is_ours((int)arguments[1]) ? -EBADF : guard_call_plain(number, arguments);
}

static long serve_close_range(long number, const long arguments[6], ucontext_t *context)
{
    return guard_fd_close_range((unsigned)arguments[0], (unsigned)arguments[1],
                                (unsigned)arguments[2]);
}

/* ---- Processes ---- */

/* vfork() by another name, as the runtime of Go calls it: on the stack of its parent. It is a fork,
 * as a raw vfork() is: passed on, it would leave the thread unwatched for a while, and a mask that
 * blocks SIGSYS in that time would end the process at its next call. */
static bool is_vfork(const long arguments[6])
{
    const long flags = CLONE_VM | CLONE_VFORK;

    return (arguments[0] & ~0xffl) == flags && !arguments[1];
}

static bool shares_memory(long number, const long arguments[6])
{
    const struct clone_args *clone = (const struct clone_args *)arguments[0];

    if (number == SYS_clone)
        return (arguments[0] & CLONE_VM || arguments[1]) && !is_vfork(arguments);
    return number == SYS_clone3 && (!guard_walk_readable(clone, CLONE_ARGS_SIZE_VER0) ||
                                    clone->flags & CLONE_VM || clone->stack);
}

bool guard_serve_moves_stack(long number, const long arguments[6])
{
    return (number == SYS_clone || number == SYS_clone3) && shares_memory(number, arguments);
}

/* A process with memory of its own, which goes on where we are. */
static long serve_fork(long number, const long arguments[6], ucontext_t *context)
{
    return guard_process_fork(number, arguments);
}

/* ---- Addresses that the kernel keeps ---- */

#define RSEQ_UNREGISTER 1

/*
 * The kernel writes there when the thread is interrupted or ends, and ends the process, or leaves
 * it out, when it cannot. Nobody tells when a thread has ended: what a program gives stays pinned.
 * Where libc's own structures lie in the window they are pinned with the thread's stack.
 */
static long serve_kept(long number, const long arguments[6], ucontext_t *context)
{
    const void *address = (const void *)arguments[0];
    size_t size = number == SYS_set_tid_address ? sizeof(int) : (size_t)arguments[1];
    bool ends = number == SYS_rseq && arguments[2] & RSEQ_UNREGISTER;
    bool pinned = !ends && in_window(address) && arena_pin(address, size) == 0;
    long result = guard_call_plain(number, arguments);

    if ((result < 0 && pinned) || (result >= 0 && ends && in_window(address)))
        arena_unpin(address, size);
    return result;
}

/* ---- io_uring ---- */

static long serve_uring_setup(long number, const long arguments[6], ucontext_t *context)
{
    return guard_uring_setup(arguments);
}

static long serve_uring_enter(long number, const long arguments[6], ucontext_t *context)
{
    return guard_uring_enter(arguments);
}

static long serve_uring_register(long number, const long arguments[6], ucontext_t *context)
{
    return guard_uring_register(arguments);
}

/* ---- Mappings ---- */

static long serve_mapping(long number, const long arguments[6], ucontext_t *context)
{
    long result = -ENOSYS;

    return map_call(number, arguments, &result) ? result : guard_call_plain(number, arguments);
}

#define PR_SET_SYSCALL_USER_DISPATCH 59

static long serve_prctl(long number, const long arguments[6], ucontext_t *context)
{
    if (arguments[0] == PR_SET_SYSCALL_USER_DISPATCH)
        guard_dispatch_leave();
    return guard_call(number, arguments);
}

/* ---- The table ---- */

static const serve_fn special[GUARD_CALLS] = {
    [SYS_rt_sigprocmask] = serve_mask,
    [SYS_rt_sigaction] = serve_action,
    [SYS_sigaltstack] = serve_signal_stack,
    [SYS_rt_sigsuspend] = serve_suspend,
    [SYS_ppoll] = serve_poll,
    [SYS_pselect6] = serve_select,
    [SYS_epoll_pwait] = serve_epoll,
    [SYS_epoll_pwait2] = serve_epoll,
    [SYS_close] = serve_close,
    [SYS_dup3] = serve_dup,
    [SYS_close_range] = serve_close_range,
    [SYS_clone] = serve_fork,
    [SYS_clone3] = serve_fork,
    [SYS_prctl] = serve_prctl,
    [SYS_rseq] = serve_kept,
    [SYS_set_tid_address] = serve_kept,
    [SYS_set_robust_list] = serve_kept,
    [SYS_mmap] = serve_mapping,
    [SYS_munmap] = serve_mapping,
    [SYS_mremap] = serve_mapping,
    [SYS_mprotect] = serve_mapping,
    [SYS_pkey_mprotect] = serve_mapping,
    [SYS_madvise] = serve_mapping,
    [SYS_mlock] = serve_mapping,
    [SYS_mlock2] = serve_mapping,
    [SYS_munlock] = serve_mapping,
    [SYS_mlockall] = serve_mapping,
    [SYS_munlockall] = serve_mapping,
    [SYS_msync] = serve_mapping,
    [SYS_mincore] = serve_mapping,
    [SYS_io_uring_setup] = serve_uring_setup,
    [SYS_io_uring_enter] = serve_uring_enter,
    [SYS_io_uring_register] = serve_uring_register,
#ifdef SYS_fork
    [SYS_fork] = serve_fork,
    [SYS_vfork] = serve_fork,
    [SYS_dup2] = serve_dup,
#endif
};

bool guard_serve_is_special(long number, const long arguments[6])
{
    return number >= 0 && number < GUARD_CALLS && special[number] &&
           !guard_serve_moves_stack(number, arguments);
}

long guard_serve(long number, const long arguments[6], ucontext_t *context)
{
    if (guard_serve_is_special(number, arguments))
        return special[number](number, arguments, context);
    return guard_call(number, arguments);
}
