/* SPDX-License-Identifier: MIT */
#include "base/sigaction.h"

#include "base/sys.h"

#include <string.h>

/* The kernel's struct sigaction. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    const void *restorer;
    uint64_t mask;
};

#if defined(__x86_64__)
#define SA_RESTORER 0x04000000
/* Where a handler returns to. The unwinder knows this sequence of instructions. */
__asm__(".text\n"
        ".balign 16\n"
        ".type uswap_sigreturn, @function\n"
        "uswap_sigreturn:\n"
        "mov $15, %rax\n"
        "syscall\n"
        ".size uswap_sigreturn, . - uswap_sigreturn\n");
extern void uswap_sigreturn(void) __attribute__((visibility("hidden")));
static const void *restorer = (const void *)(uintptr_t)uswap_sigreturn;
#else
static const void *restorer;
#endif

void sigaction_set_restorer(const void *code)
{
    restorer = code;
}

const void *sigaction_restorer(void)
{
    return restorer;
}

static void set_restorer(struct kernel_action *action)
{
#if defined(__x86_64__)
    action->flags |= SA_RESTORER;
    action->restorer = restorer;
#else
    (void)action; /* the kernel has one of its own */
#endif
}

int sigaction_raw(int signo, const struct sigaction *action, struct sigaction *old)
{
    struct kernel_action fresh, before;
    long error;

    if (action) {
        fresh = (struct kernel_action){(void *)action->sa_sigaction, (unsigned)action->sa_flags,
                                       NULL, 0};
        memcpy(&fresh.mask, &action->sa_mask, sizeof(fresh.mask));
        set_restorer(&fresh);
    }
    error = sys_call(SYS_rt_sigaction, signo, action ? &fresh : NULL, old ? &before : NULL,
                     sizeof(fresh.mask));
    if (!error && old) {
        memset(old, 0, sizeof(*old));
        old->sa_sigaction = (void (*)(int, siginfo_t *, void *))before.handler;
        old->sa_flags = (int)(before.flags & ~0x04000000ul);
        memcpy(&old->sa_mask, &before.mask, sizeof(before.mask));
    }
    return (int)error;
}
