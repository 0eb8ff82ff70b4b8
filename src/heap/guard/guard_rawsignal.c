/* SPDX-License-Identifier: MIT */
#include "heap/guard/guard_rawsignal.h"

#include "heap/guard/guard_pins.h"

#include <errno.h>

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

long guard_rawsignal_mask(const long arguments[6], sigblock_mask *mask)
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

long guard_rawsignal_action(const long arguments[6])
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
