/* SPDX-License-Identifier: MIT */
/*
 * What memory shared by processes costs on this machine: the lock of a family, the ledger of a
 * pool, with nobody else and with others at it all the time; looking whether a process lives; and a
 * page charged to a private budget and to that of a pool.
 */
#include "profile.h"

#include "base/fd.h"
#include "base/meta.h"
#include "object/budget.h"
#include "object/sharing.h"
#include "store/family.h"
#include "store/member.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM        (256 * MIB)
#define RIVALS_MAX 3

static struct shared {
    _Alignas(64) struct family_lock lock;
    _Alignas(64) pthread_mutex_t robust;
    _Alignas(64) _Atomic uint64_t counter;
} * shared;

static _Atomic uint64_t own_counter;

static void count_own(void *unused)
{
    atomic_fetch_add(&own_counter, 1);
}

static void count_shared(void *unused)
{
    atomic_fetch_add(&shared->counter, 1);
}

static void lock_family(void *unused)
{
    (void)!family_lock_take(&shared->lock);
    family_lock_drop(&shared->lock);
}

static void lock_robust(void *unused)
{
    pthread_mutex_lock(&shared->robust);
    pthread_mutex_unlock(&shared->robust);
}

static void change_ledger(void *unused)
{
    if (ledger_take(&sharing_file->pages, sharing_own(), 1))
        ledger_give(&sharing_file->pages, sharing_own(), 1);
}

static void charge(void *unused)
{
    if (budget_take(1))
        budget_give(1);
}

/* More than a batch, so that each time some is borrowed and given back. */
static void charge_many(void *unused)
{
    if (budget_take(1024))
        budget_give(1024);
}

static void do_nothing(void *unused)
{
    pause();
}

static void look_for_dead(void *unused)
{
    sharing_reap();
}

struct rivals {
    pid_t pids[RIVALS_MAX];
    unsigned count;
};

static void start_rivals(struct rivals *rivals, unsigned count, void (*once)(void *))
{
    unsigned family_member, pool_member;

    for (rivals->count = 0; rivals->count < count; rivals->count++) {
        if (member_fork_prepare(&family_member) || sharing_fork_prepare(&pool_member))
            exit(1);
        pid_t child = fork();
        if (child == 0) {
            member_fork_child();
            sharing_fork_child();
            for (;;)
                once(NULL);
        }
        member_fork_parent();
        sharing_fork_parent();
        rivals->pids[rivals->count] = child;
    }
}

static void stop_rivals(struct rivals *rivals)
{
    for (unsigned i = 0; i < rivals->count; i++) {
        kill(rivals->pids[i], SIGKILL);
        waitpid(rivals->pids[i], NULL, 0);
    }
    sharing_reap();
}

static void profile_with_rivals(const char *name, void (*once)(void *))
{
    char text[80];

    for (unsigned count = 0; count <= RIVALS_MAX; count += count ? 2 : 1) {
        struct rivals rivals;
        start_rivals(&rivals, count, once);
        snprintf(text, sizeof(text), "%s, %u others at it", name, count);
        profile(text, 200000, once, NULL);
        stop_rivals(&rivals);
    }
}

static void prepare(void)
{
    pthread_mutexattr_t attributes;
    struct pool_file *file;
    const char *reason;
    int fd = memfd_create("profile", MFD_CLOEXEC);

    shared = meta_reserve_shared(sizeof(*shared));
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (!shared || pthread_mutex_init(&shared->robust, &attributes) || member_start() || fd < 0 ||
        pool_file_make(fd, RAM, 256 * KIB) || pool_file_map(fd, &file, &reason) ||
        sharing_join(fd_move_high(fd), file))
        exit(1);
}

int main(void)
{
    prepare();
    budget_set_limit(RAM);
    profile("charge a page to a private budget, and give it back", 1000000, charge, NULL);
    budget_use_pool();
    profile("charge a page to a pool, and give it back", 1000000, charge, NULL);
    profile("charge 1024 pages to a pool, and give them back", 100000, charge_many, NULL);
    profile("count in our own memory", 1000000, count_own, NULL);
    profile_with_rivals("count in shared memory", count_shared);
    profile_with_rivals("the lock of a family", lock_family);
    profile_with_rivals("a robust mutex of libc", lock_robust);
    profile_with_rivals("a change of a ledger and one back", change_ledger);
    struct rivals rivals;
    start_rivals(&rivals, RIVALS_MAX, do_nothing);
    profile("look whether 3 members live", 20000, look_for_dead, NULL);
    stop_rivals(&rivals);
    return 0;
}
