/* SPDX-License-Identifier: MIT */
/*
 * Shared regions: many processes at the same time, which die at any time.
 *
 * Each word of a region is a counter. A process adds one to it, and then to a counter of its own in
 * plainly shared memory, so that the sum over the region is what all have done, and one more at
 * most for each that was killed in between.
 */
#include "shared_kit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS (SHARED_SIZE / sizeof(uint64_t))

/* Additions of all processes together; those in order are of neighbours. */
#define ALL_RANDOM   8000
#define ALL_IN_ORDER 200000

enum order {
    RANDOM,
    IN_ORDER,
    MIXED,
};

static struct {
    enum order order;
    uint64_t each;          /* additions */
    _Atomic uint64_t *done; /* of each process */
} plan;

static uint64_t next_word(uint64_t *state, uint64_t step, unsigned number)
{
    bool random = plan.order == RANDOM || (plan.order == MIXED && number % 2);

    if (random)
        return engine_below(state, WORDS);
    return (number * 7919 * 512 + step * 61) % WORDS;
}

static void add(_Atomic uint64_t *words, uint64_t word, unsigned number)
{
    atomic_fetch_add(&words[word], 1);
    atomic_fetch_add(&plan.done[number], 1);
}

static void count_some(unsigned number)
{
    _Atomic uint64_t *words = join_region(0);
    uint64_t state = engine_seed() + number;

    for (uint64_t step = 0; step < plan.each; step++)
        add(words, next_word(&state, step, number), number);
    if (number % 3 == 0)
        expect(uswap_shared_detach(words) == 0);
}

static uint64_t sum_done(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 64; i++)
        sum += atomic_load(&plan.done[i]);
    return sum;
}

static uint64_t sum_region(void)
{
    uint64_t *words = join_region(0), sum = 0;

    for (uint64_t i = 0; i < WORDS; i++)
        sum += words[i];
    expect(uswap_shared_detach(words) == 0);
    return sum;
}

static void begin(enum order order, uint64_t processes)
{
    plan.order = order;
    plan.each = (order == IN_ORDER ? ALL_IN_ORDER : ALL_RANDOM) / processes;
    plan.done = plain_memory(64 * sizeof(uint64_t));
    make_region(SHARED_SIZE, SHARED_RAM, 0);
}

static void end(unsigned killed)
{
    uint64_t done = sum_done(), found = sum_region();

    expect(found >= done && found <= done + killed, "%lu done, %lu found", done, found);
    expect(region_resident() <= SHARED_RAM + MIB / 2, "%lu", region_resident());
    remove_region();
}

static void no_addition_is_lost(enum order order, unsigned processes)
{
    begin(order, processes);
    run_together(processes, count_some);
    end(0);
}

static void random_additions(uint64_t processes)
{
    no_addition_is_lost(RANDOM, (unsigned)processes);
}

static void additions_in_order(uint64_t processes)
{
    no_addition_is_lost(IN_ORDER, (unsigned)processes);
}

static void mixed_additions(uint64_t processes)
{
    no_addition_is_lost(MIXED, (unsigned)processes);
}

/* ---- Threads, and the children of fork ---- */

static _Atomic uint64_t *threads_words;

static void count_in_thread(void *argument, unsigned thread)
{
    uint64_t state = engine_seed() + 100 * thread;

    for (uint64_t step = 0; step < plan.each; step++)
        add(threads_words, next_word(&state, step, thread), *(unsigned *)argument);
}

static void count_in_threads(unsigned number)
{
    threads_words = join_region(0);
    engine_threads(4, count_in_thread, &number);
}

static void threads_of_processes(uint64_t processes)
{
    begin(MIXED, 4 * processes);
    run_together((unsigned)processes, count_in_threads);
    end(0);
}

static void count_and_fork(unsigned number)
{
    _Atomic uint64_t *words = join_region(0);
    uint64_t state = engine_seed() + number;
    pid_t child = 0;

    for (uint64_t step = 0; step < plan.each; step++) {
        add(words, next_word(&state, step, number), number);
        if (step == plan.each / 4)
            child = fork();
    }
    if (child)
        expect(wait_for_child(child) == 0);
}

static void children_have_the_region(uint64_t processes)
{
    begin(RANDOM, 2 * processes);
    run_together((unsigned)processes, count_and_fork);
    end(0);
}

/* ---- Mutexes ---- */

#define TRANSFERS 1500

struct account {
    pthread_mutex_t mutex;
    uint64_t total;
    uint64_t parts[4];
};

#define ACCOUNTS 64

static struct account *account_of(char *memory, uint64_t number)
{
    return (void *)(memory + number * (SHARED_SIZE / ACCOUNTS));
}

/* What a process may wait for in a system call has to be pinned by it. */
static void transfer(unsigned number)
{
    char *memory = join_region(0);
    uint64_t state = engine_seed() + number;

    for (unsigned i = 0; i < ACCOUNTS; i++)
        expect(uswap_pin(account_of(memory, i), sizeof(struct account)) == 0);
    for (unsigned i = 0; i < TRANSFERS; i++) {
        struct account *account = account_of(memory, engine_below(&state, ACCOUNTS));
        expect(pthread_mutex_lock(&account->mutex) == 0);
        account->total++;
        account->parts[number]++;
        pthread_mutex_unlock(&account->mutex);
        (void)*(volatile char *)(memory + engine_below(&state, SHARED_SIZE));
    }
}

static void open_accounts(char *memory)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        pthread_mutex_init(&account_of(memory, i)->mutex, &attributes);
}

static uint64_t audit(const struct account *account)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 4; i++)
        sum += account->parts[i];
    expect(sum == account->total);
    return sum;
}

static void mutexes_work_across_processes(uint64_t unused)
{
    uint64_t total = 0;
    char *memory;

    make_region(SHARED_SIZE, SHARED_RAM, 0);
    memory = join_region(0);
    open_accounts(memory);
    expect(uswap_shared_detach(memory) == 0);
    run_together(4, transfer);
    memory = join_region(USWAP_SHARED_READ_ONLY);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        total += audit(account_of(memory, i));
    expect(total == 4 * TRANSFERS);
    remove_region();
}

/* ---- Death and sleep ---- */

static void count_for_ever(unsigned number)
{
    _Atomic uint64_t *words = join_region(0);
    uint64_t state = engine_seed() + number + (uint64_t)getpid();

    for (uint64_t step = 0;; step++)
        add(words, next_word(&state, step, number), number);
}

static void kill_all(const pid_t *children, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        kill_child(children[i]);
    }
}

/* One of them is killed and replaced, again and again. */
static void killing_loses_nothing(uint64_t few)
{
    const char *many = getenv("USWAP_KILLS");
    uint64_t state = engine_seed(), kills = many ? strtoull(many, NULL, 0) : few;
    pid_t children[4];

    begin(MIXED, 4);
    for (unsigned i = 0; i < 4; i++)
        children[i] = start_child(count_for_ever, i);
    nap_us(200000);
    for (uint64_t i = 0; i < kills; i++) {
        unsigned victim = (unsigned)engine_below(&state, 4);
        kill_child(children[victim]);
        children[victim] = start_child(count_for_ever, victim);
        nap_us(engine_below(&state, 20000));
    }
    kill_all(children, 4);
    end((unsigned)kills + 4);
}

/* It maps what it can, and then does nothing. */
static void touch_all_and_rest(unsigned number)
{
    _Atomic uint64_t *words = join_region(0);

    for (uint64_t i = 0; i < WORDS; i += PAGE_SIZE / sizeof(uint64_t))
        add(words, i, number);
    atomic_store(&plan.done[10], 1);
    for (;;)
        pause();
}

static void stop(pid_t child, int signal)
{
    expect(kill(child, signal) == 0);
    nap_us(100000);
}

/* What a stopped one has mapped cannot leave, but the others go on with the rest. */
static void a_stopped_one_does_not_stop_others(uint64_t unused)
{
    pid_t children[2];
    uint64_t before;

    begin(RANDOM, 2);
    children[0] = start_child(touch_all_and_rest, 0);
    while (!atomic_load(&plan.done[10]))
        nap_us(1000);
    nap_us(300000); /* its thread has made room and rests, too */
    stop(children[0], SIGSTOP);
    children[1] = start_child(count_for_ever, 1);
    nap_us(500000);
    before = atomic_load(&plan.done[1]);
    nap_us(1000000);
    expect(atomic_load(&plan.done[1]) > before + 100, "%lu", atomic_load(&plan.done[1]) - before);
    stop(children[0], SIGCONT);
    kill_all(children, 2);
    atomic_store(&plan.done[10], 0);
    end(2);
}

/* One that is stopped while it moves an object holds up who wants that one, and no longer. */
static void a_stop_at_any_time_loses_nothing(uint64_t unused)
{
    pid_t children[3];
    uint64_t before;

    begin(RANDOM, 3);
    for (unsigned i = 0; i < 3; i++)
        children[i] = start_child(count_for_ever, i);
    for (unsigned i = 0; i < 12; i++) {
        stop(children[i % 3], SIGSTOP);
        stop(children[i % 3], SIGCONT);
    }
    before = sum_done();
    nap_us(500000);
    expect(sum_done() > before + 50);
    kill_all(children, 3);
    end(3);
}

static void come_and_go(unsigned number)
{
    uint64_t state = engine_seed() + number;

    for (unsigned i = 0; i < 20; i++) {
        _Atomic uint64_t *words = join_region(0);
        for (uint64_t step = 0; step < 60; step++)
            add(words, next_word(&state, step, number), number);
        expect(uswap_shared_detach(words) == 0);
    }
}

static void attaching_and_detaching_under_load(uint64_t processes)
{
    begin(MIXED, processes);
    run_together((unsigned)processes, come_and_go);
    end(0);
}

static const struct engine_case cases[] = {
    {.name = "random_additions_2", .run = random_additions, .parameter = 2},
    {.name = "random_additions_16", .run = random_additions, .parameter = 16},
    {.name = "additions_in_order_4", .run = additions_in_order, .parameter = 4},
    {.name = "mixed_additions_4", .run = mixed_additions, .parameter = 4},
    {.name = "threads_of_processes", .run = threads_of_processes, .parameter = 3},
    {.name = "children_have_the_region", .run = children_have_the_region, .parameter = 3},
    {.name = "mutexes_work_across_processes", .run = mutexes_work_across_processes},
    {.name = "killing_loses_nothing",
     .run = killing_loses_nothing,
     .parameter = 60,
     .seconds = 120},
    {.name = "a_stopped_one_does_not_stop_others", .run = a_stopped_one_does_not_stop_others},
    {.name = "a_stop_at_any_time_loses_nothing", .run = a_stop_at_any_time_loses_nothing},
    {.name = "attaching_and_detaching_under_load",
     .run = attaching_and_detaching_under_load,
     .parameter = 6},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
