/* SPDX-License-Identifier: MIT */
/*
 * Everything that looks at attached regions does so inside the gate; what detaches one closes it,
 * so that nobody is in the region when it goes.
 *
 * The thread waits for all regions at once, for the frontiers of their clocks and for faults that
 * find little room, and looks for dead members now and then. Between its rounds it is outside the
 * gate, with words it has kept the addresses of; the kernel says so when they are gone.
 */
#include "arena/share.h"

#include "arena/arena.h"
#include "arena/gate.h"
#include "arena/inside.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "observe/status.h"
#include "shared/attach.h"
#include "shared/clock.h"
#include "shared/member.h"
#include "shared/shared.h"
#include "shared/view.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define LOOK_NS UINT64_C(300000000)

/* Attaching, detaching and removing, one at a time in a process. */
static pthread_mutex_t changes = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool running;      /* the thread */
static _Atomic uint32_t changed; /* regions came or went; a futex */

/* ---- The thread ---- */

struct sleep {
    struct futex_waitv words[2 * SHARED_ATTACHED + 1];
    unsigned count;
};

static void add_word(struct sleep *sleep, _Atomic uint32_t *word, uint32_t value, bool shared)
{
    sleep->words[sleep->count++] = (struct futex_waitv){
        .val = value,
        .uaddr = (uintptr_t)word,
        .flags = FUTEX_32 | (shared ? 0 : FUTEX_PRIVATE_FLAG),
    };
}

/* What is read here is read before the region is looked at: a change after that ends the sleep. */
static void serve(struct shared *shared, struct sleep *sleep, bool look)
{
    add_word(sleep, &shared->file->turn, atomic_load(&shared->file->turn), true);
    add_word(sleep, &shared->wanted, 0, false);
    atomic_store(&shared->wanted, 0);
    clock_sweep(shared);
    clock_refill(shared);
    if (look)
        member_reap_all(shared);
}

static void sleep_on(struct sleep *sleep)
{
    uint64_t until = clock_now_ns() + LOOK_NS;
    struct timespec time = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    long error = sys_call(SYS_futex_waitv, sleep->words, sleep->count, 0, &time, CLOCK_MONOTONIC);

    if (error == -ENOSYS) /* Linux 5.15 and older */
        futex_wait(&changed, sleep->words[0].val, LOOK_NS / 100);
}

static void run_thread(void *argument)
{
    uint64_t looked = clock_now_ns();

    sys_call(SYS_prctl, PR_SET_NAME, "uswaps");
    for (;;) {
        struct sleep sleep = {.count = 0};
        uint64_t now = clock_now_ns();
        bool look = now - looked >= LOOK_NS;
        struct inside inside;

        looked = look ? now : looked;
        add_word(&sleep, &changed, atomic_load(&changed), false);
        inside = inside_enter();
        for (unsigned i = 0; i < SHARED_ATTACHED; i++) {
            struct shared *shared = atomic_load(&shared_attached[i]);
            if (shared)
                serve(shared, &sleep, look);
        }
        inside_leave(inside);
        sleep_on(&sleep);
    }
}

static int start_thread(void)
{
    int error = 0;

    if (!atomic_exchange(&running, true))
        error = thread_start(run_thread, NULL);
    if (error)
        atomic_store(&running, false);
    return error;
}

/* ---- The public functions ---- */

static sigblock_mask begin(void)
{
    sigblock_mask mask = sigblock_enter();

    pthread_mutex_lock(&changes);
    return mask;
}

static int end(sigblock_mask mask, int error)
{
    pthread_mutex_unlock(&changes);
    sigblock_leave(mask);
    return error;
}

exported int uswap_shared_create(const char *name, const struct uswap_shared_options *options)
{
    sigblock_mask mask = begin();

    return end(mask, shared_create(name, options));
}

exported int uswap_shared_unlink(const char *name)
{
    sigblock_mask mask = begin();

    return end(mask, shared_unlink(name));
}

exported int uswap_shared_attach(const char *name, unsigned flags, void **address, size_t *size)
{
    sigblock_mask mask;
    void *view = *address;
    size_t bytes = 0;
    int error;

    if (!arena_started() || flags & ~(unsigned)USWAP_SHARED_READ_ONLY ||
        (uintptr_t)view % PAGE_SIZE)
        return -EINVAL;
    mask = begin();
    error = start_thread();
    if (!error)
        error = shared_attach(name, flags, &view, &bytes);
    atomic_fetch_add(&changed, 1);
    futex_wake_all(&changed);
    end(mask, 0);
    if (error)
        return error;
    *address = view;
    if (size)
        *size = bytes;
    return 0;
}

exported int uswap_shared_detach(void *address)
{
    sigblock_mask mask = begin();
    struct shared *shared;

    gate_close();
    shared = shared_take_out(address);
    gate_open();
    if (!shared)
        return end(mask, -EINVAL);
    view_close(shared);
    return end(mask, shared_close(shared));
}

/* ---- From below ---- */

static void count_fault(const struct shared_patience *patience, uint64_t since)
{
    uint64_t ns = clock_now_ns() - since;

    stats_add(patience->read ? STAT_FAULTS_MAJOR : STAT_FAULTS_MINOR, 1);
    stats_time(patience->read ? HISTOGRAM_MAJOR : HISTOGRAM_MINOR, ns);
    stats_add(STAT_SWAP_NS, ns);
}

/* Who waits long for a member that is stopped waits outside now and then: fork and detach go on.
 * The region may be gone when it comes back. */
bool share_handle(const void *address, int *error)
{
    struct shared_patience patience = {0};
    uint64_t since = clock_now_ns();
    struct shared *shared;

    do {
        gate_enter();
        shared = shared_find(address);
        if (shared)
            *error = shared_fault(shared, address, &patience);
        gate_leave();
    } while (shared && *error == -EAGAIN);
    if (shared && !*error)
        count_fault(&patience, since);
    return shared != NULL;
}

bool share_pin(const void *address, size_t size, int *error)
{
    struct shared_patience patience = {0};
    struct shared *shared;

    do {
        struct inside inside = inside_enter();

        shared = shared_find(address);
        if (shared)
            *error = shared_pin(shared, address, size, &patience);
        inside_leave(inside);
    } while (shared && *error == -EAGAIN);
    return shared != NULL;
}

bool share_unpin(const void *address, size_t size)
{
    struct inside inside = inside_enter();
    struct shared *shared = shared_find(address);

    if (shared)
        shared_unpin(shared, address, size);
    inside_leave(inside);
    return shared != NULL;
}

void share_fork_prepare(void)
{
    pthread_mutex_lock(&changes);
}

void share_fork_parent(void)
{
    pthread_mutex_unlock(&changes);
}

int share_fork_child(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    bool had_thread = atomic_exchange(&running, false);
    int error = shared_fork_child();

    changes = fresh;
    if (!error && had_thread)
        error = start_thread();
    return error;
}
