/* SPDX-License-Identifier: MIT */
/*
 * A producer and three consumers over a shared region that is four times as large as what of it may
 * be resident. The producer fills blocks in order; each consumer takes the next one that nobody
 * has, waits until it is filled, and checks it. Nothing but atomics of the region holds them
 * together.
 *
 *     gcc -o share share.c $(pkg-config --cflags --libs uswap) && ./share
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uswap/uswap.h>

#define RAM       ((uint64_t)16 << 20)
#define SIZE      (4 * RAM)
#define CONSUMERS 3
#define WORDS     8192 /* of a block */

struct block {
    uint64_t words[WORDS];
};
#define BLOCKS (SIZE / sizeof(struct block) - 1)

/* The first block. */
struct head {
    _Atomic uint64_t filled, taken;
    uint64_t sums[CONSUMERS];
    uint64_t counts[CONSUMERS];
};

static char name[32];

static struct head *attach(void)
{
    struct uswap_options options;
    void *region = NULL;
    int error;

    uswap_options_init(&options);
    options.ram = 8 << 20; /* for memory of its own, of which it has none */
    error = uswap_start(&options);
    if (error && error != -EALREADY) /* -EALREADY: under uswap run */
        exit(1);
    if (uswap_shared_attach(name, 0, &region, NULL))
        exit(1);
    return region;
}

static struct block *block_of(struct head *head, uint64_t number)
{
    return (struct block *)(void *)head + 1 + number;
}

static void produce(void)
{
    struct head *head = attach();

    for (uint64_t number = 0; number < BLOCKS; number++) {
        struct block *block = block_of(head, number);
        for (uint64_t i = 0; i < WORDS; i++)
            block->words[i] = number * WORDS + i;
        atomic_store(&head->filled, number + 1);
    }
    exit(uswap_shared_detach(head) != 0);
}

static void wait_until_filled(struct head *head, uint64_t number)
{
    while (atomic_load(&head->filled) <= number)
        nanosleep(&(struct timespec){0, 200000}, NULL);
}

static void consume(unsigned consumer)
{
    struct head *head = attach();
    uint64_t number, sum = 0, count = 0;

    while ((number = atomic_fetch_add(&head->taken, 1)) < BLOCKS) {
        const struct block *block = block_of(head, number);
        wait_until_filled(head, number);
        for (uint64_t i = 0; i < WORDS; i++)
            sum += block->words[i];
        count++;
    }
    head->sums[consumer] = sum;
    head->counts[consumer] = count;
    exit(uswap_shared_detach(head) != 0);
}

static void start(unsigned process)
{
    pid_t child = fork();

    if (child < 0)
        exit(1);
    if (child > 0)
        return;
    if (process == CONSUMERS)
        produce();
    else
        consume(process);
}

static int check(void)
{
    const uint64_t words = BLOCKS * WORDS;
    struct head *head = attach();
    uint64_t sum = 0;

    for (unsigned i = 0; i < CONSUMERS; i++) {
        printf("consumer %u took %llu blocks\n", i, (unsigned long long)head->counts[i]);
        sum += head->sums[i];
    }
    printf("%s\n", sum == words * (words - 1) / 2 ? "every word came through" : "words are wrong");
    return sum != words * (words - 1) / 2;
}

int main(void)
{
    struct uswap_shared_options options = {.size = SIZE, .ram = RAM};
    int failed = 0, status;

    snprintf(name, sizeof(name), "share-%d", (int)getpid());
    if (uswap_shared_create(name, &options))
        return 1;
    for (unsigned i = 0; i <= CONSUMERS; i++)
        start(i);
    for (unsigned i = 0; i <= CONSUMERS; i++)
        failed |= wait(&status) < 0 || status != 0;
    failed |= check();
    return failed | (uswap_shared_unlink(name) != 0);
}
