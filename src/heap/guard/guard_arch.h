/* SPDX-License-Identifier: MIT */
/* What the guard must know of the machine: the registers of a trapped call, and the stub. */
#ifndef USWAP_HEAP_GUARD_ARCH_H
#define USWAP_HEAP_GUARD_ARCH_H

#include <linux/audit.h>
#include <ucontext.h>

#if defined(__x86_64__)
#define GUARD_AUDIT_ARCH AUDIT_ARCH_X86_64

static inline long guard_arch_argument(const ucontext_t *context, unsigned index)
{
    static const int registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

    return (long)context->uc_mcontext.gregs[registers[index]];
}

static inline void guard_arch_set_result(ucontext_t *context, long result)
{
    context->uc_mcontext.gregs[REG_RAX] = result;
}

/*
 * long stub(long number, const long arguments[6]): a system call from an address that the filter
 * lets pass. The code is copied to the stub page, so it is position-independent.
 */
#define GUARD_ARCH_STUB                                                                            \
    "mov %rdi, %rax\n"                                                                             \
    "mov %rsi, %r11\n"                                                                             \
    "mov 0(%r11), %rdi\n"                                                                          \
    "mov 8(%r11), %rsi\n"                                                                          \
    "mov 16(%r11), %rdx\n"                                                                         \
    "mov 24(%r11), %r10\n"                                                                         \
    "mov 32(%r11), %r8\n"                                                                          \
    "mov 40(%r11), %r9\n"                                                                          \
    "syscall\n"                                                                                    \
    "ret\n"

#elif defined(__aarch64__)
#define GUARD_AUDIT_ARCH AUDIT_ARCH_AARCH64

static inline long guard_arch_argument(const ucontext_t *context, unsigned index)
{
    return (long)context->uc_mcontext.regs[index];
}

static inline void guard_arch_set_result(ucontext_t *context, long result)
{
    context->uc_mcontext.regs[0] = (unsigned long)result;
}

#define GUARD_ARCH_STUB                                                                            \
    "mov x8, x0\n"                                                                                 \
    "mov x9, x1\n"                                                                                 \
    "ldp x0, x1, [x9]\n"                                                                           \
    "ldp x2, x3, [x9, 16]\n"                                                                       \
    "ldp x4, x5, [x9, 32]\n"                                                                       \
    "svc 0\n"                                                                                      \
    "ret\n"
#else
#error "the guard knows x86-64 and aarch64 only"
#endif

#endif
