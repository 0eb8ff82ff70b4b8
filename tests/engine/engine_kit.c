/* SPDX-License-Identifier: MIT */
/* What the cases of the engine tests use: content, messages, faults that are caught, threads. */
#include "engine_test.h"

#include "arena/config.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MESSAGES_KEPT 64

/* With compressed RAM most words are small, but every fourth page does not shrink. */
static bool small_words;

struct uswap_options engine_options(uint64_t ram, uint64_t store)
{
    const char *compress = getenv("USWAP_COMPRESS"); /* the same tests with compressed RAM */
    struct uswap_options options;

    uswap_options_init(&options);
    if (compress)
        expect(config_read_compress("USWAP_COMPRESS=", compress, &options) == 0);
    small_words = options.compress > USWAP_COMPRESS_OFF;
    options.ram = ram;
    options.stores[0] = (struct uswap_store_options){.path = engine_directory(), .size = store};
    options.stores_count = 1;
    return options;
}

void engine_start(uint64_t ram, uint64_t store)
{
    struct uswap_options options = engine_options(ram, store);
    int error = uswap_start(&options);

    expect(error == 0, "%s", strerror(-error));
}

void *engine_map(size_t size, size_t object_size)
{
    struct uswap_map_options options = {.object_size = object_size, .name = "test"};
    void *address = NULL;
    int error = uswap_map(size, &options, &address);

    expect(error == 0, "%zu bytes: %s", size, strerror(-error));
    return address;
}

struct uswap_stats engine_stats(void)
{
    struct uswap_stats stats;

    expect(uswap_get_stats(&stats, sizeof(stats)) == 0);
    return stats;
}

void engine_expect_swapping(const struct uswap_stats *before)
{
    struct uswap_stats now = engine_stats();

    expect(now.objects_evicted > before->objects_evicted);
    expect(now.faults_major > before->faults_major);
    expect(now.bytes_written > before->bytes_written);
    expect(now.bytes_read > before->bytes_read);
    expect(now.io_errors == 0 && now.objects_poisoned == 0);
}

void engine_expect_empty_store(void)
{
    for (unsigned look = 0; engine_stats().store_used_bytes && look < 500; look++)
        usleep(10000);
    expect(engine_stats().store_used_bytes == 0, "%llu bytes in slots",
           (unsigned long long)engine_stats().store_used_bytes);
}

void engine_evict_all(void)
{
    size_t size = engine_stats().ram_budget_bytes;
    char *memory = engine_map(size, 0);

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < size; i += PAGE_SIZE)
            memory[i]++;
    expect(uswap_unmap(memory, size) == 0);
}

size_t engine_resident(const void *address, size_t size)
{
    size_t pages = size / PAGE_SIZE;
    size_t resident = 0;
    unsigned char *map = malloc(pages);

    expect(map && mincore((void *)address, size, map) == 0);
    for (size_t i = 0; i < pages; i++)
        resident += map[i] & 1;
    free(map);
    return resident;
}

uint64_t engine_word(uint64_t tag, uint64_t i)
{
    uint64_t x = (tag * 0xd1342543de82ef95u + i) * 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 32)) | 1; /* never zero */
    return small_words && i % 8 && (tag * 0x9e3779b97f4a7c15u) >> 62 ? x % 64 | 1 : x;
}

void engine_fill(void *memory, size_t size, uint64_t tag)
{
    uint64_t *words = memory;

    for (size_t i = 0; i < size / sizeof(*words); i++)
        words[i] = engine_word(tag, i);
}

void engine_verify(const void *memory, size_t size, uint64_t tag)
{
    const uint64_t *words = memory;

    for (size_t i = 0; i < size / sizeof(*words); i++) {
        uint64_t word = words[i];
        expect(word == engine_word(tag, i), "tag %llx word %zu of %p: %llx, not %llx",
               (unsigned long long)tag, i, memory, (unsigned long long)word,
               (unsigned long long)engine_word(tag, i));
    }
}

void engine_verify_zero(const void *memory, size_t size)
{
    const uint64_t *words = memory;

    for (size_t i = 0; i < size / sizeof(*words); i++)
        expect(words[i] == 0, "word %zu of %p: %llx", i, memory, (unsigned long long)words[i]);
}

uint64_t engine_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t engine_below(uint64_t *state, uint64_t below)
{
    return engine_random(state) % below;
}

static struct {
    char lines[MESSAGES_KEPT][256];
    _Atomic unsigned count;
} messages;

static void keep_message(void *context, enum uswap_level level, const char *line)
{
    unsigned i = atomic_fetch_add(&messages.count, 1);

    if (i < MESSAGES_KEPT)
        memcpy(messages.lines[i], line, min_u64(strlen(line), sizeof(messages.lines[i]) - 1));
}

void engine_keep_messages(void)
{
    uswap_set_message_handler(keep_message, NULL);
}

unsigned engine_said_count(void)
{
    return (unsigned)min_u64(atomic_load(&messages.count), MESSAGES_KEPT);
}

const char *engine_last_message(void)
{
    unsigned count = engine_said_count();

    return count ? messages.lines[count - 1] : "";
}

bool engine_said(const char *part, const char *other_part)
{
    for (unsigned i = 0; i < engine_said_count(); i++)
        if (strstr(messages.lines[i], part) && strstr(messages.lines[i], other_part))
            return true;
    return false;
}

static _Thread_local sigjmp_buf probe_return;
static _Thread_local const volatile char *volatile probe_address;

static void probe_fault(int signo, siginfo_t *info, void *context)
{
    uintptr_t page = (uintptr_t)probe_address & ~(PAGE_SIZE - 1);

    if (probe_address && ((uintptr_t)info->si_addr & ~(PAGE_SIZE - 1)) == page)
        siglongjmp(probe_return, signo);
    signal(signo, SIG_DFL); /* not ours: the access is made again, and ends the process */
}

void engine_catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = probe_fault, .sa_flags = SA_SIGINFO};

    expect(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
}

int engine_probe(const void *address)
{
    int signo = sigsetjmp(probe_return, 1);

    probe_address = address;
    if (signo == 0)
        (void)*probe_address;
    probe_address = NULL;
    return signo;
}

struct thread {
    pthread_t id;
    void (*body)(void *argument, unsigned thread);
    void *argument;
    unsigned number;
};

static void *thread_run(void *argument)
{
    struct thread *thread = argument;

    thread->body(thread->argument, thread->number);
    return NULL;
}

void engine_threads(unsigned count, void (*body)(void *argument, unsigned thread), void *argument)
{
    struct thread *threads = calloc(count, sizeof(*threads));

    expect(threads != NULL);
    for (unsigned i = 0; i < count; i++) {
        threads[i] = (struct thread){.body = body, .argument = argument, .number = i};
        expect(pthread_create(&threads[i].id, NULL, thread_run, &threads[i]) == 0);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
    free(threads);
}
