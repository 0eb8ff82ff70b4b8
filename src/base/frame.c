/* SPDX-License-Identifier: MIT */
/*
 * On x86-64 the kernel writes, downwards from the red zone (arch/x86/kernel/signal.c):
 *
 *     | return address | struct ucontext | siginfo |  gap  | state of FPU and vectors |
 *       ^ stack pointer, 8 below a multiple of 16            ^ a multiple of 64
 *
 * The context points to that state. rt_sigreturn() takes the frame from where the stack pointer
 * is, so a copy serves as well.
 */
#include "base/frame.h"

#if FRAME_MOVES
#include "base/context.h"
#include "base/sigaction.h"
#include "base/sigblock.h"

#include <string.h>

#define FPU_ALIGN   64
#define STACK_ALIGN 16

/* The state begins with the 512 bytes of FXSAVE; software may use its last 48. There the kernel
 * says whether more follows, and how long all of it is (struct _fpx_sw_bytes). */
#define FXSAVE_SIZE    512
#define SOFTWARE_BYTES 464
#define SOFTWARE_MAGIC 0x46505853u

static size_t fpu_size(const void *state)
{
    uint32_t words[2];

    if (!state)
        return 0;
    memcpy(words, (const char *)state + SOFTWARE_BYTES, sizeof(words));
    return words[0] == SOFTWARE_MAGIC ? words[1] : FXSAVE_SIZE;
}

/* frame_go(signo, info, context, handler, stack): the handler finds the stack as the kernel leaves
 * it, with the address to return to on top. */
_Noreturn void frame_go(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler,
                        uintptr_t stack) __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
        ".balign 16\n"
        ".globl frame_go\n"
        ".hidden frame_go\n"
        ".type frame_go, @function\n"
        "frame_go:\n"
        "mov %r8, %rsp\n"
        "jmp *%rcx\n"
        ".size frame_go, . - frame_go\n"
        ".balign 16\n"
        ".globl frame_call_on\n"
        ".hidden frame_call_on\n"
        ".type frame_call_on, @function\n"
        "frame_call_on:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "mov %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "and $-16, %rdi\n"
        "mov %rdi, %rsp\n"
        "mov %rdx, %rdi\n"
        "call *%rsi\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size frame_call_on, . - frame_call_on\n"
        ".balign 16\n"
        ".type frame_return, @function\n"
        "frame_return:\n"
        "lea -8(%rsp), %rdi\n"
        "call frame_return_from\n"
        "ud2\n"
        ".size frame_return, . - frame_return\n"
        ".popsection\n");

/* Returned to from a copy that the kernel may be unable to read. */
void frame_return(void) __attribute__((visibility("hidden")));

static uintptr_t (*place)(uintptr_t frame);
static size_t info_offset; /* in a frame; the same in all */

void frame_set_place(uintptr_t (*function)(uintptr_t frame))
{
    place = function;
}

/* To below this address. What is given becomes the copy; returns where it begins. */
static uintptr_t copy_frame_to(uintptr_t to, siginfo_t **info, ucontext_t **context)
{
    uintptr_t old = (uintptr_t)*context - sizeof(uintptr_t);
    size_t size = (uintptr_t)*info + sizeof(**info) - old;
    void *state = (*context)->uc_mcontext.fpregs;
    size_t state_size = fpu_size(state);
    uintptr_t new;

    to = align_down(to - state_size, FPU_ALIGN);
    new = align_down(to - size, STACK_ALIGN) - sizeof(uintptr_t);
    memcpy((void *)new, (const void *)old, size);
    *info = (siginfo_t *)((uintptr_t)*info - old + new);
    *context = (ucontext_t *)(new + sizeof(uintptr_t));
    if (state) {
        memcpy((void *)to, state, state_size);
        (*context)->uc_mcontext.fpregs = (void *)to;
    }
    return new;
}

/* Below the stack that was interrupted. */
static uintptr_t copy_frame(siginfo_t **info, ucontext_t **context)
{
    uintptr_t to = context_stack_pointer(*context) - FRAME_RED_ZONE;
    uintptr_t new;

    info_offset = (uintptr_t)*info - (uintptr_t)*context + sizeof(uintptr_t);
    new = copy_frame_to(to, info, context);
    if (place && place(new))
        *(uintptr_t *)new = (uintptr_t)frame_return;
    return new;
}

/* With all signals blocked but the one that brings the copy in, which arrives elsewhere. */
_Noreturn void frame_return_from(uintptr_t frame) __attribute__((visibility("hidden"), used));
_Noreturn void frame_return_from(uintptr_t frame)
{
    sigblock_mask mask = ~sigblock_bit(SIGBUS);
    ucontext_t *context = (ucontext_t *)(frame + sizeof(uintptr_t));
    siginfo_t *info = (siginfo_t *)(frame + info_offset);
    uintptr_t stack;

    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    stack = copy_frame_to(place(frame), &info, &context) + sizeof(uintptr_t);
    frame_go(0, info, context, (frame_handler)(uintptr_t)sigaction_restorer(), stack);
}

_Noreturn void frame_move(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler)
{
    uintptr_t stack = copy_frame(&info, &context);

    frame_go(signo, info, context, handler, stack);
}

ucontext_t *frame_before(const ucontext_t *context, frame_handler handler)
{
    ucontext_t *first = (ucontext_t *)context->uc_mcontext.gregs[REG_RDX];
    bool begins = context_instruction(context) == (uintptr_t)handler &&
                  context_stack_pointer(context) == (uintptr_t)first - sizeof(uintptr_t);

    return begins ? first : NULL;
}

void frame_move_before(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    siginfo_t *info = (siginfo_t *)registers[REG_RSI];
    ucontext_t *first = (ucontext_t *)registers[REG_RDX];

    registers[REG_RSP] = (greg_t)copy_frame(&info, &first);
    registers[REG_RSI] = (greg_t)info;
    registers[REG_RDX] = (greg_t)first;
}
#else
typedef int frame_nothing; /* a file must not be empty */
#endif
