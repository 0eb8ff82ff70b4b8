/* SPDX-License-Identifier: MIT */
#include "heap/guard/guard_rawsignal.h"

#include "heap/guard/guard_call.h"
#include "heap/guard/guard_handler.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_walk.h"

#include <errno.h>
#include <sys/syscall.h>

/* NULL is a set that is not given. */
static bool readable(const void *address, size_t size)
{
    return !address || guard_walk_readable(address, size);
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

long guard_rawsignal_mask(const long arguments[6], sigblock_mask *mask)
{
    const sigblock_mask *set = (const sigblock_mask *)arguments[1];
    sigblock_mask *old = (sigblock_mask *)arguments[2];
    guard_pins pins = guard_pins_open();
    long result = -EINVAL;

    if (arguments[3] != sizeof(sigblock_mask))
        goto out;
    result = -EFAULT;
    if (!readable(set, sizeof(*set)) || !readable(old, sizeof(*old)))
        goto out;

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

/* An action of another signal, whose mask must leave ours open. */
static long change_other(const long arguments[6], const struct raw_action *new,
                         struct raw_action *old)
{
    int signo = (int)arguments[0];
    struct guard_handler_kept kept = guard_handler_kept(signo);
    struct raw_action fresh, before;
    long changed[6] = {signo, 0, (long)&before, arguments[3]};

    if (new) {
        fresh = *new;
        fresh.mask &= ~guard_signal_ours();
        guard_handler_wrap(signo, &fresh.handler, &fresh.flags);
        changed[1] = (long)&fresh;
    }
    long result = guard_call_plain(SYS_rt_sigaction, changed);
    if (result)
        return result;
    guard_handler_unwrap(kept, &before.handler, &before.flags);
    before.mask |= guard_signal_note_hidden(signo, new ? &new->mask : NULL);
    if (old)
        *old = before;
    return 0;
}

static void change_ours(int signo, const struct raw_action *new, struct raw_action *old)
{
    struct sigaction action, before;

    if (new)
        action_from_raw(&action, new);
    guard_signal_action(signo, new ? &action : NULL, &before);
    if (old)
        action_to_raw(old, &before);
}

long guard_rawsignal_action(const long arguments[6])
{
    const struct raw_action *new = (const struct raw_action *)arguments[1];
    struct raw_action *old = (struct raw_action *)arguments[2];
    guard_pins pins = guard_pins_open();
    long result = -EFAULT;

    if (arguments[3] != sizeof(sigblock_mask))
        result = -EINVAL;
    else if (!readable(new, sizeof(*new)) || !readable(old, sizeof(*old)))
        result = -EFAULT;
    else if (!guard_signal_is_ours((int)arguments[0]))
        result = change_other(arguments, new, old);
    else {
        change_ours((int)arguments[0], new, old);
        result = 0;
    }
    guard_pins_close(pins);
    return result;
}
