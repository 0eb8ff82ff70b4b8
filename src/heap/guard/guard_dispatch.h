/* SPDX-License-Identifier: MIT */
/*
 * Syscall user dispatch (Linux 5.11, x86-64): every system call that a thread makes outside libc
 * and our stub raises SIGSYS, whatever its arguments. The filter sees pointers in registers only;
 * this finds those in structures, and calls that need more than pinned memory: signal masks, fork,
 * io_uring. Unlike the filter it ends with exec.
 */
#ifndef USWAP_HEAP_GUARD_DISPATCH_H
#define USWAP_HEAP_GUARD_DISPATCH_H

#include "base/base.h"

#include <signal.h>
#include <ucontext.h>

/* The si_code of a SIGSYS of this kind. */
#define GUARD_DISPATCH_CODE 2

/* Before any signal handler is installed: handlers are to return through code of libc. */
void guard_dispatch_prepare(void);

/* Write the code that makes calls from the stub page; the size of it. 0: the plain code does. */
size_t guard_dispatch_write_stub(char *page);

/* For the calling thread, from now on. Threads begin without it, and so does the child of a fork.
 * Where the kernel lacks it nothing happens. */
void guard_dispatch_enter(void);

/* The program wants it for itself, in this thread. */
void guard_dispatch_leave(void);

/* Whether a SIGSYS of this kind is ours. */
bool guard_dispatch_is_ours(void);

/* A handler interrupted the stub between its instructions: the call is to be made again. */
bool guard_dispatch_resume(ucontext_t *context);

/* Let the thread make the call itself when the handler returns: it goes on on another stack. */
void guard_dispatch_pass(ucontext_t *context, long number);

/* The program returns from a signal handler by code of its own. */
void guard_dispatch_sigreturn(ucontext_t *context);

#endif
