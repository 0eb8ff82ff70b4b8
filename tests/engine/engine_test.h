/* SPDX-License-Identifier: MIT */
/*
 * The frame of the engine tests. uswap_start() works once per process, so every case runs in a
 * process of its own: the test program starts itself again with the name of the case. A case passes
 * when that process ends as the case says, within its time, and leaves nothing behind in its
 * directory.
 *
 * A process that takes too long prints what its threads wait for, and the engine's statistics.
 *
 * Called as PROGRAM [SEED]; the seed is otherwise USWAP_SEED or the clock, and printed.
 */
#ifndef USWAP_ENGINE_TEST_H
#define USWAP_ENGINE_TEST_H

#include "base/base.h"
#include "uswap/uswap.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>

/* How a case's process ended. */
struct engine_end {
    int status;           /* as from waitpid() */
    uint64_t peak_rss;    /* bytes, as the kernel saw it */
    bool reached;         /* engine_reached() was called */
    unsigned left_shared; /* regions and pools that were left; they are gone now */
    bool left_files;      /* so are the files in its directory */
    char output[16384];   /* the first of what it wrote on stderr */
};

struct engine_case {
    const char *name;
    void (*run)(uint64_t parameter); /* in the new process */
    uint64_t parameter;
    int signal;             /* that the process dies of; 0: it exits with 0 */
    unsigned seconds;       /* 0: 60 */
    bool as_nobody;         /* not as root; skipped when the test is not run by root */
    bool kill_when_reached; /* SIGKILL as soon as engine_reached() has been called */
    /* In the parent, after everything else has passed; NULL: nothing more to say. */
    void (*judge)(const struct engine_end *end, uint64_t parameter);
};

/* The main function of a test program. */
int engine_test_main(int argc, char **argv, const struct engine_case *cases, size_t count);

/* In the parent: run a case once more and say how it ended. */
struct engine_end engine_run(const struct engine_case *test);

/* A sanitizer makes every access several times as slow. */
#ifdef __SANITIZE_ADDRESS__
#define ENGINE_SANITIZED 1
#else
#define ENGINE_SANITIZED 0
#endif

/*
 * In the process of a case, any thread.
 */

/* Print the text and what failed, and end the process with 1. */
#define expect(condition, ...)                                                                     \
    do {                                                                                           \
        if (unlikely(!(condition)))                                                                \
            engine_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__);                          \
    } while (0)
_Noreturn void engine_fail(const char *file, int line, const char *condition, const char *format,
                           ...) __attribute__((format(printf, 4, 5)));

/* Tell the parent that the case came here. A case that is to die must call it before it does. */
void engine_reached(void);

/* The directory of this case, for its stores and files; it must be empty at the end. */
const char *engine_directory(void);

/* The seed of this case; the same for every case of a run. */
uint64_t engine_seed(void);

/* Start with this budget and one store of so many bytes in the directory of the case. */
void engine_start(uint64_t ram, uint64_t store);

/* The options engine_start() uses. */
struct uswap_options engine_options(uint64_t ram, uint64_t store);

/* A region, or the end of the process. */
void *engine_map(size_t size, size_t object_size);

struct uswap_stats engine_stats(void);

/* Memory was written to and read from the store since before was taken, and nothing failed. */
void engine_expect_swapping(const struct uswap_stats *before);

/* All slots are free, at once or when the last write in flight has ended. */
void engine_expect_empty_store(void);

/* Push everything else out: touch as much new memory as the budget holds, twice, and unmap it. */
void engine_evict_all(void);

/* How many pages of a range are resident, as the kernel says. */
size_t engine_resident(const void *address, size_t size);

/* Content: word i of what has this tag. Zero is no tag. */
uint64_t engine_word(uint64_t tag, uint64_t i);
void engine_fill(void *memory, size_t size, uint64_t tag);
void engine_verify(const void *memory, size_t size, uint64_t tag);
void engine_verify_zero(const void *memory, size_t size);

/* Numbers from a seed, for one thread. */
uint64_t engine_random(uint64_t *state);
uint64_t engine_below(uint64_t *state, uint64_t below);

/* Messages: kept instead of printed, from engine_keep_messages() on. */
void engine_keep_messages(void);
/* Whether one that holds both parts has been said; "" fits every message. */
bool engine_said(const char *part, const char *other_part);
unsigned engine_said_count(void);
const char *engine_last_message(void);

/* Handlers for SIGSEGV and SIGBUS that engine_probe() needs; call before the engine starts. */
void engine_catch_faults(void);
/* Read the byte; returns 0, or the signal it brought, whose si_addr is in the page of the address.
 */
int engine_probe(const void *address);

/* Run body(argument, thread) on this many threads and wait for them. */
void engine_threads(unsigned count, void (*body)(void *argument, unsigned thread), void *argument);

#endif
