/* SPDX-License-Identifier: MIT */
/* What a signal handler reads of the context that the signal interrupted. */
#ifndef USWAP_BASE_CONTEXT_H
#define USWAP_BASE_CONTEXT_H

#include "base/base.h"

#include <ucontext.h>

#if defined(__x86_64__)

static inline uintptr_t context_stack_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

static inline uintptr_t context_instruction(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

/* Of code that has one; any value otherwise. */
static inline uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
}

/* Whether the access that raised a fault was a write. The error code of a page fault has it in bit
 * 1. */
static inline bool context_is_write(const ucontext_t *context)
{
    return context->uc_mcontext.gregs[REG_ERR] & 2;
}

#elif defined(__aarch64__)
#include <asm/sigcontext.h>

static inline uintptr_t context_stack_pointer(const ucontext_t *context)
{
    return context->uc_mcontext.sp;
}

static inline uintptr_t context_instruction(const ucontext_t *context)
{
    return context->uc_mcontext.pc;
}

static inline uintptr_t context_frame_pointer(const ucontext_t *context)
{
    return context->uc_mcontext.regs[29];
}

/* The kernel adds the syndrome register to the context: bit 6 is "write, not read". Without it, a
 * write is what does no harm to assume. */
static inline bool context_is_write(const ucontext_t *context)
{
    const char *at = (const char *)context->uc_mcontext.__reserved;
    const char *end = at + sizeof(context->uc_mcontext.__reserved);

    while (at + sizeof(struct esr_context) <= end) {
        const struct _aarch64_ctx *head = (const void *)at;
        if (head->magic == ESR_MAGIC)
            return ((const struct esr_context *)head)->esr & 1u << 6;
        if (!head->magic || !head->size)
            break;
        at += head->size;
    }
    return true;
}

#else
#error "x86-64 and aarch64 only"
#endif

#endif
