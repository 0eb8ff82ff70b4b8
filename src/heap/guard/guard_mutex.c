/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions that make and end mutexes. A robust mutex is passed on by the kernel
 * when the thread that holds it ends: the kernel follows a list through all that this thread holds,
 * and cannot fault them in. So a robust mutex is pinned from its beginning to its end. They are
 * few; most lie in memory that processes share, which is not the window.
 */
#include "arena/arena.h"
#include "heap/guard/guard_real.h"

#include <pthread.h>

static bool is_robust(const pthread_mutex_t *mutex)
{
    const int robust = 16; /* glibc's, the same from 2.4 on */

    return mutex->__data.__kind >= 0 && mutex->__data.__kind & robust;
}

exported int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    int error = REAL(pthread_mutex_init)(mutex, attributes);

    if (error || !in_window(mutex) || !is_robust(mutex))
        return error;
    return -arena_pin(mutex, sizeof(*mutex));
}

exported int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    bool pinned = in_window(mutex) && is_robust(mutex);
    int error = REAL(pthread_mutex_destroy)(mutex);

    if (!error && pinned)
        arena_unpin(mutex, sizeof(*mutex));
    return error;
}
