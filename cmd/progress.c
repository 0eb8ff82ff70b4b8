/* SPDX-License-Identifier: MIT */
/* The lock guards `waiting`, from progress_begin() to progress_end(). */
#include "progress.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/size.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS UINT64_C(1000000000)
#define EACH_NS  UINT64_C(100000000)

/* The clock is looked at once in so many steps. */
#define STEPS 64

#define CLEAR "\r\033[K"

/* ---- Steps ---- */

static uint64_t begun, last;
static bool shown;

void progress_show(const char *what, size_t done, size_t all)
{
    static unsigned calls;
    uint64_t now;

    if (calls++ % STEPS)
        return;
    now = clock_now_ns();
    if (!begun)
        begun = now;
    if (now - begun < FIRST_NS || now - last < EACH_NS || !isatty(STDERR_FILENO))
        return;
    last = now;
    shown = true;
    fprintf(stderr, CLEAR "%s: %u %%", what, (unsigned)(all ? 100 * done / all : 100));
}

void progress_clear(void)
{
    if (shown)
        fputs(CLEAR, stderr);
    shown = false;
}

/* ---- One call ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t thread;
    bool on;
    const char *what;
    uint64_t (*left)(const void *);
    const void *target;
    uint64_t begun_ns;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* The cursor goes back: a message that comes meanwhile begins where the line does. */
static void show_wait(void)
{
    unsigned long seconds = (unsigned long)((clock_now_ns() - waiting.begun_ns) / FIRST_NS);
    uint64_t left = waiting.left ? waiting.left(waiting.target) : 0;
    char size[16];

    fprintf(stderr, CLEAR "%s: %lu s", waiting.what, seconds);
    if (left)
        fprintf(stderr, ", %s left", size_format(left, size));
    fputc('\r', stderr);
    shown = true;
}

static struct timespec after(uint64_t ns)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    ns += (uint64_t)at.tv_nsec;
    at.tv_sec += (time_t)(ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

static void *show_waiting(void *argument)
{
    struct timespec next = after(FIRST_NS);

    (void)argument;
    pthread_mutex_lock(&waiting.lock);
    while (waiting.on) {
        if (pthread_cond_timedwait(&waiting.ended, &waiting.lock, &next) == 0)
            continue;
        show_wait();
        next = after(2 * EACH_NS);
    }
    pthread_mutex_unlock(&waiting.lock);
    return NULL;
}

void progress_begin(const char *what, uint64_t (*left)(const void *), const void *target)
{
    if (!isatty(STDERR_FILENO))
        return;
    waiting.what = what;
    waiting.left = left;
    waiting.target = target;
    waiting.begun_ns = clock_now_ns();
    waiting.on = pthread_create(&waiting.thread, NULL, show_waiting, NULL) == 0;
}

void progress_end(void)
{
    bool on;

    pthread_mutex_lock(&waiting.lock);
    on = waiting.on;
    waiting.on = false;
    pthread_cond_signal(&waiting.ended);
    pthread_mutex_unlock(&waiting.lock);
    if (on)
        pthread_join(waiting.thread, NULL);
    progress_clear();
}
