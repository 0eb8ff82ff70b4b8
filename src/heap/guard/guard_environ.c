/* SPDX-License-Identifier: MIT */
/*
 * setenv() puts the array on the heap. libc compares environ with the array it made before it frees
 * or grows that, so a program may replace it, and so may we. Arrays of ours are never given back,
 * for other threads may be reading: one is used again and again, and grows. A thread that finds it
 * taken makes one of its own.
 */
#include "heap/guard/guard_environ.h"

#include "arena/window.h"
#include "base/meta.h"
#include "heap/guard/guard_walk.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static char **array;
static size_t capacity;

static char **allocate(size_t count)
{
    return meta_reserve(count * sizeof(char *));
}

static char **array_for(size_t count)
{
    if (count > capacity) {
        size_t more = align_up(count * 2, PAGE_SIZE / sizeof(char *));
        char **larger = allocate(more);
        if (!larger)
            return NULL;
        array = larger;
        capacity = more;
    }
    return array;
}

static void move(char **target, char *const *source, size_t count)
{
    if (!target)
        return;
    memcpy(target, source, count * sizeof(char *));
    environ = target;
}

static void move_out(void)
{
    size_t count = 1;

    while (environ[count - 1])
        count++;
    if (pthread_mutex_trylock(&lock)) {
        move(allocate(count), environ, count);
        return;
    }
    move(array_for(count), environ, count);
    pthread_mutex_unlock(&lock);
}

void guard_environ_hold(void)
{
    if (window_contains(environ))
        move_out();
    guard_walk_strings((const char *const *)environ);
}
