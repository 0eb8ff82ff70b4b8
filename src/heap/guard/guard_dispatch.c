/* SPDX-License-Identifier: MIT */
/*
 * The kernel lets calls pass whose instruction lies in the text of libc: one range is all that it
 * takes. For calls of ours there is the selector, a byte of each thread that the kernel reads: the
 * stub sets it to "allow" before its call and back to "block" behind it.
 *
 * A signal handler that comes in between may leave "block" behind, also when the kernel restarts a
 * call. Then the stub itself is trapped, and the SIGSYS handler returns to its instruction with the
 * selector at "allow". SIGSYS is open there: with all signals blocked no handler comes in between.
 *
 * Limits: while the program's handler runs on top of a call that waits in the stub its own calls
 * pass. Threads that the program makes by clone() itself are not watched.
 */
#include "heap/guard/guard_dispatch.h"

#if defined(__x86_64__)
#include "arena/window.h"
#include "base/sigaction.h"
#include "base/sys.h"
#include "heap/guard/guard_call.h"
#include "heap/libc.h"

#include <string.h>

/* Of the kernel's headers from 5.11 on. */
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON           1

/* The size of the syscall instruction. */
#define ENTER_SIZE 2

static __thread bool watched;

/* Where libc's signal handlers return to: mov $SYS_rt_sigreturn, %rax; syscall */
static const uint8_t sigreturn_code[] = {0x48, 0xc7, 0xc0, SYS_rt_sigreturn, 0, 0, 0, 0x0f, 0x05};
static const char *libc_sigreturn;

void guard_dispatch_prepare(void)
{
    if (libc_text_size)
        libc_sigreturn =
            memmem((void *)libc_text, libc_text_size, sigreturn_code, sizeof(sigreturn_code));
    if (libc_sigreturn)
        sigaction_set_restorer(libc_sigreturn);
}

/* sys_enter_code, with the selector around the call; the two places are filled in. */
extern const char stub_code[] __attribute__((visibility("hidden")));
extern const char stub_allow[] __attribute__((visibility("hidden")));
extern const char stub_block[] __attribute__((visibility("hidden")));
extern const char stub_end[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
        ".balign 16\n"
        "stub_code:\n" SYS_ENTER_MOVES "movb $0, %fs:0x12345678\n"
        "stub_allow:\n"
        "syscall\n"
        "movb $1, %fs:0x12345678\n"
        "stub_block:\n"
        "ret\n"
        "stub_end:\n"
        ".popsection\n");

/* In front of the byte that is moved lies where to. */
static void fill_in(char *page, const char *behind)
{
    int32_t distance = (int32_t)((uintptr_t)&sys_selector - (uintptr_t)__builtin_thread_pointer());

    memcpy(page + (behind - stub_code) - 1 - sizeof(distance), &distance, sizeof(distance));
}

size_t guard_dispatch_write_stub(char *page)
{
    size_t size = (size_t)(stub_end - stub_code);

    if (!libc_sigreturn)
        return 0;
    memcpy(page, stub_code, size);
    fill_in(page, stub_allow);
    fill_in(page, stub_block);
    return size;
}

/* The kernel must be able to read the selector at any time. */
void guard_dispatch_enter(void)
{
    watched = libc_sigreturn && !window_contains(&sys_selector) &&
              sys_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, libc_text,
                       libc_text_size, &sys_selector) == 0;
}

void guard_dispatch_leave(void)
{
    watched = false;
}

bool guard_dispatch_is_ours(void)
{
    return watched;
}

bool guard_dispatch_resume(ucontext_t *context)
{
    uintptr_t behind = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];

    if (align_down(behind, PAGE_SIZE) != guard_call_stub())
        return false;
    guard_dispatch_pass(context, context->uc_mcontext.gregs[REG_RAX]);
    return true;
}

void guard_dispatch_pass(ucontext_t *context, long number)
{
    context->uc_mcontext.gregs[REG_RIP] -= ENTER_SIZE;
    context->uc_mcontext.gregs[REG_RAX] = number;
    sys_selector = SYS_ALLOW;
}

void guard_dispatch_sigreturn(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)libc_sigreturn;
}

#else
void guard_dispatch_prepare(void)
{
}

size_t guard_dispatch_write_stub(char *page)
{
    return 0;
}

void guard_dispatch_enter(void)
{
}

void guard_dispatch_leave(void)
{
}

bool guard_dispatch_is_ours(void)
{
    return false;
}

bool guard_dispatch_resume(ucontext_t *context)
{
    return false;
}

void guard_dispatch_pass(ucontext_t *context, long number)
{
}

void guard_dispatch_sigreturn(ucontext_t *context)
{
}
#endif
