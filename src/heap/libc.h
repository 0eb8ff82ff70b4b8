/* SPDX-License-Identifier: MIT */
/* What the heap knows of the inside of libc. */
#ifndef USWAP_HEAP_LIBC_H
#define USWAP_HEAP_LIBC_H

#include "base/base.h"

/* The program text of libc.so; size 0 until libc_find(). */
extern uintptr_t libc_text;
extern size_t libc_text_size;

/* Find libc.so; before any thread is started. */
void libc_find(void);

/*
 * Whether a calloc() is that of pthread_setspecific() for a thread with more than 32 keys. fork()
 * clears such arrays of all other threads in the child before any handler of ours can run there, so
 * they stay out of the window.
 */
static inline bool libc_is_thread_values(size_t count, size_t size, const void *caller)
{
    return count == 32 && size == 16 && (uintptr_t)caller - libc_text < libc_text_size;
}

#endif
