/* SPDX-License-Identifier: MIT */
/* What the guard must know of the machine: the registers of a trapped call. */
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
#else
#error "the guard knows x86-64 and aarch64 only"
#endif

#endif
