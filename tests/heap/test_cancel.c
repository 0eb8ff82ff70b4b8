/* SPDX-License-Identifier: MIT */
/*
 * pthread_cancel() of threads that use swapped-out memory. At any instruction: whatever the engine
 * was doing for such a thread is done, and others go on. In a call: what was pinned for it is given
 * back. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE        4096
#define BLOCK_WORDS (32u << 20 >> 3)
#define THREADS     4
#define ROUNDS      60

static uint64_t *block;

static uint64_t content(size_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15;
}

/* ---- At any instruction ---- */

/* What it touches, and nothing else, may be interrupted anywhere. Never returns by itself. */
static void *touch_at_random(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) {
        size_t i = random_below(&random, BLOCK_WORDS);

        if (block[i] != content(i))
            return NULL;
        block[i] = content(i);
    }
}

static void cancel(pthread_t thread)
{
    void *result;

    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
}

static void in_the_middle_of_faults(struct random *random)
{
    uint64_t before = stats_now().faults_major;

    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&threads[i], NULL, touch_at_random,
                                 (void *)(uintptr_t)random_next(random)) == 0);
        usleep((useconds_t)random_below(random, 3000));
        for (int i = 0; i < THREADS; i++)
            cancel(threads[i]);
    }
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        CHECK(block[i] == content(i));
    printf("%llu faults\n", (unsigned long long)(stats_now().faults_major - before));
    CHECK(stats_now().faults_major > before + ROUNDS);
}

/* ---- In calls ---- */

__attribute__((weak)) int uswap_advise(void *address, size_t size, enum uswap_advice advice);

/* A page that was swapped out, and nothing keeps it from being that again. */
static char *cold_page(void)
{
    char *page = aligned_alloc(PAGE, PAGE);

    CHECK(page);
    memset(page, 0, PAGE);
    return page;
}

static bool can_leave(char *page)
{
    CHECK(uswap_advise(page, PAGE, USWAP_COLD) == 0);
    return !page_present(page);
}

static char *page;
static int ends[2];
static atomic_int cleaned;

static void clean(void *unused)
{
    atomic_fetch_add(&cleaned, 1);
}

static void in_read(void)
{
    CHECK(read(ends[0], page, PAGE) > 0);
}

static void in_receive(void)
{
    struct iovec *vector = (struct iovec *)(void *)page;
    struct msghdr *message = (struct msghdr *)(void *)(page + 64);

    *vector = (struct iovec){page + 512, 512};
    *message = (struct msghdr){.msg_iov = vector, .msg_iovlen = 1};
    CHECK(recvmsg(ends[0], message, 0) > 0);
}

static void in_poll(void)
{
    *(struct pollfd *)(void *)page = (struct pollfd){.fd = ends[0], .events = POLLIN};
    CHECK(poll((struct pollfd *)(void *)page, 1, -1) > 0);
}

static void in_nanosleep(void)
{
    *(struct timespec *)(void *)page = (struct timespec){1000, 0};
    nanosleep((struct timespec *)(void *)page, NULL);
}

/* The buffer of the stream is ours, so the call that libc makes is on the page. */
static void in_stdio(void)
{
    static FILE *stream;
    char line[100];

    if (stream)
        fclose(stream);
    stream = fdopen(dup(ends[0]), "r");
    CHECK(stream && setvbuf(stream, page, _IOFBF, PAGE) == 0);
    CHECK(fgets(line, sizeof(line), stream));
}

static void in_semaphore(void)
{
    CHECK(sem_init((sem_t *)(void *)page, 0, 0) == 0);
    CHECK(sem_wait((sem_t *)(void *)page) == 0);
}

static void unlock(void *mutex)
{
    CHECK(pthread_mutex_unlock(mutex) == 0);
}

/* The mutex is locked again before the thread ends. */
static void in_condition(void)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)page;
    pthread_cond_t *condition = (pthread_cond_t *)(void *)(page + 512);

    CHECK(pthread_mutex_init(mutex, NULL) == 0 && pthread_cond_init(condition, NULL) == 0);
    CHECK(pthread_mutex_lock(mutex) == 0);
    pthread_cleanup_push(unlock, mutex);
    for (;;)
        pthread_cond_wait(condition, mutex);
    pthread_cleanup_pop(1);
}

static void *run_case(void *run)
{
    pthread_cleanup_push(clean, NULL);
    ((void (*)(void))(uintptr_t)run)();
    pthread_cleanup_pop(0);
    return NULL;
}

/* Cancelled before the call, while it waits, and while what it needs is read. */
static void in_call(const char *name, void (*run)(void))
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (useconds_t wait = 0; wait <= 20000; wait = wait * 2 + 100) {
        pthread_t thread;
        int before = atomic_load(&cleaned);

        page = cold_page();
        CHECK(can_leave(page));
        CHECK(pthread_create(&thread, NULL, run_case, (void *)(uintptr_t)run) == 0);
        usleep(wait);
        cancel(thread);
        if (wait > 10000)
            CHECK(atomic_load(&cleaned) == before + 1);
        if (!can_leave(page))
            printf("%s: the page cannot leave after %u us\n", name, wait);
        CHECK(can_leave(page));
    }
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);

    alarm(100);
    block = malloc(BLOCK_WORDS * sizeof(*block));
    CHECK(block);
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        block[i] = content(i);
    in_the_middle_of_faults(&random);
    in_call("read", in_read);
    in_call("recvmsg", in_receive);
    in_call("poll", in_poll);
    in_call("nanosleep", in_nanosleep);
    in_call("fgets", in_stdio);
    in_call("sem_wait", in_semaphore);
    in_call("pthread_cond_wait", in_condition);
    check_swapped();
    return 0;
}
