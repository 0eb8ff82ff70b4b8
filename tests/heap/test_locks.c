/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, condition variables and their kin in memory that is swapped out while they are in use.
 * The kernel reads and writes some of them by itself: a robust mutex whose holder has ended, say.
 * Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096
#define ROBUST 6
#define TURNS  3000

__attribute__((weak)) int uswap_advise(void *address, size_t size, enum uswap_advice advice);

static void *page_for(size_t size)
{
    char *page = aligned_alloc(PAGE, PAGE);

    CHECK(page && size <= PAGE);
    return memset(page, 0, PAGE);
}

static void push_out(void *page)
{
    CHECK(uswap_advise(page, PAGE, USWAP_COLD) == 0);
}

static struct timespec in_seconds(time_t seconds)
{
    struct timespec when;

    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += seconds;
    return when;
}

/* ---- Robust mutexes ---- */

static pthread_mutex_t *robust[ROBUST];
static pthread_barrier_t locked;

static void init_robust(pthread_mutex_t *mutex, int protocol, int shared)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setpshared(&attributes, shared);
    CHECK(pthread_mutex_init(mutex, &attributes) == 0);
    pthread_mutexattr_destroy(&attributes);
}

/* Ends with all of them, when all of them have been swapped out as far as they can. */
static void *die_with_all(void *waited_for)
{
    for (int i = 0; i < ROBUST; i++)
        CHECK(pthread_mutex_lock(robust[i]) == 0);
    if (waited_for)
        pthread_barrier_wait(&locked);
    usleep(waited_for ? 20000 : 0);
    for (int i = 0; i < ROBUST; i++)
        push_out(robust[i]);
    return NULL;
}

static void inherit(int i)
{
    struct timespec limit = in_seconds(10);

    CHECK(pthread_mutex_timedlock(robust[i], &limit) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(robust[i]) == 0);
    CHECK(pthread_mutex_unlock(robust[i]) == 0);
}

static void holder_dies(bool waited_for)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, die_with_all, waited_for ? &locked : NULL) == 0);
    if (waited_for) {
        pthread_barrier_wait(&locked);
        inherit(ROBUST / 2);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < ROBUST; i++)
        if (!waited_for || i != ROBUST / 2)
            inherit(i);
}

static void robust_mutexes_survive_their_holder(int protocol, int shared)
{
    CHECK(pthread_barrier_init(&locked, NULL, 2) == 0);
    for (int i = 0; i < ROBUST; i++) {
        robust[i] = page_for(sizeof(pthread_mutex_t));
        init_robust(robust[i], protocol, shared);
    }
    for (int round = 0; round < 10; round++)
        holder_dies(round % 2);
    for (int i = 0; i < ROBUST; i++) {
        CHECK(pthread_mutex_destroy(robust[i]) == 0);
        push_out(robust[i]);
        CHECK(!page_present(robust[i]));
        free(robust[i]);
    }
}

/* ---- Everything else ---- */

struct game {
    pthread_mutex_t *mutex;
    pthread_cond_t *condition;
    pthread_rwlock_t *rwlock;
    sem_t *semaphores[2];
    uint64_t *turns; /* swapped out as well */
};
static struct game game;
static atomic_bool over;

/* The others' things leave memory again and again. */
static void *push_without_end(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};
    void *pages[] = {game.mutex,         game.condition,     game.rwlock,
                     game.semaphores[0], game.semaphores[1], game.turns};

    while (!atomic_load(&over))
        push_out(pages[random_below(&random, sizeof(pages) / sizeof(pages[0]))]);
    return NULL;
}

static void init_game(int shared)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;

    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, shared);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, shared);
    game = (struct game){page_for(sizeof(*game.mutex)),
                         page_for(sizeof(*game.condition)),
                         page_for(sizeof(*game.rwlock)),
                         {page_for(sizeof(sem_t)), page_for(sizeof(sem_t))},
                         page_for(sizeof(*game.turns))};
    CHECK(pthread_mutex_init(game.mutex, &mutex) == 0);
    CHECK(pthread_cond_init(game.condition, &condition) == 0);
    CHECK(pthread_rwlock_init(game.rwlock, NULL) == 0);
    for (unsigned i = 0; i < 2; i++)
        CHECK(sem_init(game.semaphores[i], shared, i) == 0);
}

/* Two players, in turn; first by the condition, then by the semaphores, then under the rwlock. */
static void *play(void *number)
{
    uint64_t me = (uintptr_t)number;

    for (unsigned i = 0; i < TURNS; i++) {
        CHECK(pthread_mutex_lock(game.mutex) == 0);
        while (*game.turns % 2 != me)
            CHECK(pthread_cond_wait(game.condition, game.mutex) == 0);
        ++*game.turns;
        CHECK(pthread_cond_signal(game.condition) == 0);
        CHECK(pthread_mutex_unlock(game.mutex) == 0);
    }
    for (unsigned i = 0; i < TURNS; i++) {
        while (sem_wait(game.semaphores[me]))
            CHECK(errno == EINTR);
        ++*game.turns;
        CHECK(sem_post(game.semaphores[!me]) == 0);
    }
    for (unsigned i = 0; i < TURNS; i++) {
        CHECK(pthread_rwlock_rdlock(game.rwlock) == 0);
        uint64_t seen = *game.turns;
        CHECK(*game.turns == seen && pthread_rwlock_unlock(game.rwlock) == 0);
        CHECK(pthread_rwlock_wrlock(game.rwlock) == 0);
        ++*game.turns;
        CHECK(pthread_rwlock_unlock(game.rwlock) == 0);
    }
    return NULL;
}

static void no_turn_and_no_wakeup_is_lost(struct random *random, int shared)
{
    pthread_t players[2], pusher;

    init_game(shared);
    atomic_store(&over, false);
    CHECK(pthread_create(&pusher, NULL, push_without_end, (void *)(uintptr_t)random_next(random)) ==
          0);
    for (uintptr_t i = 0; i < 2; i++)
        CHECK(pthread_create(&players[i], NULL, play, (void *)i) == 0);
    for (unsigned i = 0; i < 2; i++)
        CHECK(pthread_join(players[i], NULL) == 0);
    atomic_store(&over, true);
    CHECK(pthread_join(pusher, NULL) == 0);
    CHECK(*game.turns == 6 * TURNS);
}

/* ---- Shared with children ---- */

/* Not in our memory, but they hold it while they swap. */
static void a_child_that_is_killed_leaves_its_mutex(void)
{
    pthread_mutex_t *mutex =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *own = page_for(PAGE);

    CHECK(mutex != MAP_FAILED);
    init_robust(mutex, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_SHARED);
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0) {
            CHECK(pthread_mutex_lock(mutex) == 0);
            push_out(own);
            ++*own;
            kill(getpid(), SIGKILL);
        }
        CHECK(waitpid(child, NULL, 0) == child);
        CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
        CHECK(pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
    }
}

#define BLOCK_WORDS (24u << 20 >> 3)

/* So that the rest has little room. */
static uint64_t *fill_memory(void)
{
    uint64_t *block = malloc(BLOCK_WORDS * sizeof(*block));

    CHECK(block);
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        block[i] = i * 0x9e3779b97f4a7c15;
    return block;
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);
    uint64_t *block = fill_memory();

    alarm(100);
    robust_mutexes_survive_their_holder(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
    robust_mutexes_survive_their_holder(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_SHARED);
    robust_mutexes_survive_their_holder(PTHREAD_PRIO_INHERIT, PTHREAD_PROCESS_PRIVATE);
    no_turn_and_no_wakeup_is_lost(&random, PTHREAD_PROCESS_PRIVATE);
    no_turn_and_no_wakeup_is_lost(&random, PTHREAD_PROCESS_SHARED);
    a_child_that_is_killed_leaves_its_mutex();
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        CHECK(block[i] == i * 0x9e3779b97f4a7c15);
    check_swapped();
    return 0;
}
