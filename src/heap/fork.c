/* SPDX-License-Identifier: MIT */
/*
 * fork of a process whose memory is partly swapped out.
 *
 * A child's window is not watched until arena_fork_child() has run: whatever is touched before
 * would read as zero where it is swapped out, and be lost. So what runs in the child between the
 * clone and our handler must find in memory what it touches. glibc 2.36 runs there, before any
 * handler:
 *   - the reset of the lock of every stream: the streams are pinned during the fork;
 *   - the clearing of the pthread_setspecific() arrays of other threads: kept out of the window
 *     (libc.h);
 *   - the reset of the name service database, which the parent touched after the gate was closed;
 *   - the list of fork handlers, on the heap when there are more than 48: the entry that holds
 *     our child handler is looked at after our prepare handler has run, hence two registrations;
 *   - the list of threads whose stacks the program made itself, which lies in those stacks: they
 *     are pinned (guard_stack.h);
 *   - the stack of the thread that forks, if the program got it from malloc: what it uses of that
 *     meanwhile is pinned.
 * All signals are blocked in between: no handler of the program runs there.
 *
 * Order. Ours are the first handlers registered, so they run last before the clone and first after
 * it. Locks are taken in the order list of streams, jemalloc's, the engine's gate, and dropped in
 * reverse. jemalloc's own handlers are called from here. Like libc, a process with one thread takes
 * neither the list of streams nor jemalloc's locks: nobody else holds them, and a signal handler
 * that forks may have interrupted malloc() or fopen() in this thread.
 *
 * A handler cannot make fork() fail. If the engine cannot prepare, the child ends at once, and
 * fork() gives ENOMEM or EAGAIN in the parent. Nor is a handler told whether the clone failed: it
 * left its error in errno, which was 0 before.
 */
#include "heap/fork.h"

#include "arena/arena.h"
#include "arena/ground.h"
#include "base/msg.h"
#include "base/sigblock.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/heap.h"
#include "heap/jemalloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exported by glibc, declared nowhere. */
typedef void *stream_iterator;
stream_iterator _IO_iter_begin(void);
stream_iterator _IO_iter_end(void);
stream_iterator _IO_iter_next(stream_iterator);
FILE *_IO_iter_file(stream_iterator);
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

/* glibc's lock of a stream: recursive, with an owner. */
#define STREAM_LOCK_SIZE 16

static pid_t (*next_fork)(void);
static pid_t (*next_bare_fork)(void);

/* Of the thread that forks, between prepare() and what follows. */
static __thread sigblock_mask mask_before;
static __thread int prepare_error;
static __thread int errno_before;
static __thread bool alone; /* the only thread */
static __thread struct ground ground;

/* Of the process, under the lock of the list of streams. */
static unsigned streams_pinned;

static bool pin_stream(FILE *stream)
{
    if (arena_pin(stream, sizeof(*stream)))
        return false;
    if (arena_pin(stream->_lock, STREAM_LOCK_SIZE) == 0)
        return true;
    arena_unpin(stream, sizeof(*stream));
    return false;
}

/* Under a budget that is too small for all of them the rest is only as resident as what was used
 * last. */
static void pin_streams(void)
{
    streams_pinned = 0;
    for (stream_iterator i = _IO_iter_begin(); i != _IO_iter_end(); i = _IO_iter_next(i)) {
        if (!pin_stream(_IO_iter_file(i)))
            break;
        streams_pinned++;
    }
}

static void unpin_streams(void)
{
    stream_iterator i = _IO_iter_begin();

    for (; streams_pinned > 0; streams_pinned--, i = _IO_iter_next(i)) {
        FILE *stream = _IO_iter_file(i);

        arena_unpin(stream->_lock, STREAM_LOCK_SIZE);
        arena_unpin(stream, sizeof(*stream));
    }
}

static void prepare(void)
{
    alone = __libc_single_threaded;
    if (!alone)
        _IO_list_lock();
    pin_streams();
    if (!alone)
        je_jemalloc_prefork();
    ground = ground_hold();
    mask_before = sigblock_enter();
    errno_before = errno;
    prepare_error = arena_fork_prepare();
    errno = 0;
}

static void in_parent(void)
{
    int error = errno;

    if (prepare_error == 0 && error)
        arena_fork_failed();
    else if (prepare_error == 0)
        arena_fork_parent();
    ground_drop(ground);
    sigblock_leave(mask_before);
    if (!alone)
        je_jemalloc_postfork_parent();
    unpin_streams();
    if (!alone)
        _IO_list_unlock();
    errno = error ? error : errno_before;
}

static void in_child(void)
{
    if (prepare_error)
        _exit(127);
    arena_fork_child();
    ground_drop(ground);
    guard_dispatch_enter();
    sigblock_leave(mask_before);
    if (!alone)
        je_jemalloc_postfork_child();
    heap_fork_child();
    unpin_streams();
    if (!alone)
        _IO_list_resetlock();
    errno = errno_before;
}

int fork_register(void)
{
    next_fork = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
    next_bare_fork = (pid_t(*)(void))dlsym(RTLD_NEXT, "_Fork");
    int error = pthread_atfork(NULL, in_parent, in_child);
    if (!error)
        error = pthread_atfork(prepare, NULL, NULL);
    return -error;
}

/* The result of a fork whose prepare handler failed or not. */
static pid_t refuse(pid_t child)
{
    if (child <= 0 || prepare_error == 0)
        return child;
    waitpid(child, NULL, 0);
    errno = -prepare_error;
    return -1;
}

exported pid_t fork(void)
{
    prepare_error = 0;
    return refuse(next_fork());
}

/* ---- Without the handlers: what the engine needs is not optional ---- */

int fork_bare_begin(sigblock_mask *before)
{
    int error;

    ground = ground_hold();
    *before = sigblock_enter();
    error = arena_fork_prepare();
    if (error) {
        ground_drop(ground);
        sigblock_leave(*before);
    }
    return error;
}

void fork_bare_end(long result, sigblock_mask before)
{
    if (result > 0) {
        arena_fork_parent();
    } else if (result < 0) {
        arena_fork_failed();
    } else {
        arena_fork_child();
        guard_dispatch_enter();
        heap_fork_child();
    }
    ground_drop(ground);
    sigblock_leave(before);
}

exported pid_t _Fork(void)
{
    sigblock_mask before;
    int error = fork_bare_begin(&before);

    if (error) {
        errno = -error;
        return -1;
    }
    pid_t child = next_bare_fork();
    fork_bare_end(child, before);
    return child;
}
