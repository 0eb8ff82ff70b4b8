/* SPDX-License-Identifier: MIT */
/*
 * The program that is measured: it makes a set of memory and runs the named cases over it, one line
 * of JSON each. The same binary runs under every rival, so that only what is behind the memory
 * differs.
 *
 * The content of a page follows from the seed, the page number and how often the page has been
 * written, and every read compares the whole page. A benchmark that gives back wrong data is no
 * benchmark: the program says where, and exits 1.
 *
 * Threads share no page: thread t of n has the pages p with p % n == t.
 */
#include "base/clock.h"
#include "base/size.h"
#include "content.h"
#include "measure.h"
#include "memory.h"
#include "order.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 8
#define PASS_LIMIT  4  /* a pass over all pages ends after so many times the seconds of a case */
#define SLOW_START  2  /* orders with a hot set warm up for so many times the seconds */
#define FORK_READS  32 /* pages that a child reads; of these it writes every eighth */

enum action { ACTION_READ, ACTION_WRITE, ACTION_READ_WRITE, ACTION_FORK };
enum length { LENGTH_ALL, LENGTH_PASS, LENGTH_TIME, LENGTH_SLOW };

struct work_case {
    const char *name;
    order_next *next;
    enum action action;
    enum length length;
    unsigned threads;
};

/* clang-format off */
static const struct work_case cases[] = {
    {"fill", order_up, ACTION_WRITE, LENGTH_ALL, 1},
    {"seq-read", order_up, ACTION_READ, LENGTH_PASS, 1},
    {"seq-write", order_up, ACTION_WRITE, LENGTH_PASS, 1},
    {"seq-rw", order_up, ACTION_READ_WRITE, LENGTH_PASS, 1},
    {"backward", order_down, ACTION_READ, LENGTH_PASS, 1},
    {"strided", order_strided, ACTION_READ, LENGTH_PASS, 1},
    {"rand-read", order_random, ACTION_READ, LENGTH_TIME, 1},
    {"rand-read-2", order_random, ACTION_READ, LENGTH_TIME, 2},
    {"rand-read-8", order_random, ACTION_READ, LENGTH_TIME, 8},
    {"rand-write", order_random, ACTION_WRITE, LENGTH_TIME, 1},
    {"rand-write-2", order_random, ACTION_WRITE, LENGTH_TIME, 2},
    {"rand-write-8", order_random, ACTION_WRITE, LENGTH_TIME, 8},
    {"hot", order_hot, ACTION_READ, LENGTH_SLOW, 1},
    {"zipf", order_zipf, ACTION_READ, LENGTH_SLOW, 1},
    {"scan-hot", order_scan_hot, ACTION_READ, LENGTH_SLOW, 1},
    {"loop", order_loop, ACTION_READ, LENGTH_SLOW, 1},
    {"moving", order_moving, ACTION_READ, LENGTH_SLOW, 1},
    {"phases", order_phases, ACTION_READ, LENGTH_SLOW, 1},
    {"fork", order_random, ACTION_FORK, LENGTH_TIME, 1},
    {"verify", order_up, ACTION_READ, LENGTH_ALL, 1},
};
/* clang-format on */

static struct {
    bool api;
    uint64_t size, ram;
    const char *swap, *file, *list, *content, *corpus;
    double seconds;
    uint64_t seed;
} options = {.size = GIB,
             .ram = GIB / 4,
             .list = "fill,seq-read,verify",
             .content = "random",
             .seconds = 4,
             .seed = 1};

static struct {
    uint64_t *words;
    uint64_t pages;
    uint32_t *writes; /* how often each page has been written; not part of the set */
} set;

struct job {
    const struct work_case *work;
    struct order order;
    struct measure *measure;
    uint64_t end_ns;
};

/* Far from those of other pages, but for the low bits: neighbours are neighbours in a recorded
 * heap. */
static uint64_t page_tag(uint64_t page)
{
    uint64_t tag = mix(options.seed ^ mix(page << 32 | set.writes[page]));

    return (tag & ~UINT64_C(511)) | ((page + set.writes[page] * UINT64_C(37)) & 511);
}

static void page_check(uint64_t page)
{
    if (unlikely(!content_is(set.words + page * CONTENT_WORDS, page_tag(page))))
        die("workload: page %" PRIu64 " of write %" PRIu32 " (seed %" PRIu64 ") has wrong content",
            page, set.writes[page], options.seed);
}

static void page_write(uint64_t page)
{
    set.writes[page]++;
    content_write(set.words + page * CONTENT_WORDS, page_tag(page));
}

/* Each reads pages here and there and writes some; the parent's must stay as they are. */
static void fork_child(struct job *job)
{
    for (unsigned i = 0; i < FORK_READS; i++) {
        uint64_t page = job->order.next(&job->order, i);
        page_check(page);
        if (i % 8 == 0)
            page_write(page);
    }
    _exit(0);
}

static void fork_once(struct job *job, uint64_t page)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        fork_child(job);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("workload: a child failed: status %d", status);
    page_check(page);
}

static void job_access(struct job *job, uint64_t page)
{
    enum action action = job->work->action;

    if (action == ACTION_FORK) {
        fork_once(job, page);
        return;
    }
    if (action != ACTION_WRITE)
        page_check(page);
    if (action != ACTION_READ)
        page_write(page);
}

static void *job_run(void *argument)
{
    struct job *job = argument;
    uint64_t steps = job->work->length <= LENGTH_PASS ? set.pages : UINT64_MAX;
    uint64_t now = clock_now_ns();

    /* At least one, however long it takes. */
    for (uint64_t step = 0; step < steps && (now < job->end_ns || !job->measure->ops); step++) {
        uint64_t start = now;
        job_access(job, job->order.next(&job->order, step));
        now = clock_now_ns();
        measure_add(job->measure, start, now);
    }
    return NULL;
}

static void job_times(struct job *job, uint64_t now)
{
    uint64_t second = (uint64_t)(options.seconds * 1e9);
    uint64_t warm[] = {0, 0, second / 4, SLOW_START * second};
    uint64_t last[] = {UINT64_MAX - now, PASS_LIMIT * second, second, second};
    enum length length = job->work->length;

    job->measure->begin_ns = now;
    job->measure->measure_ns = now + warm[length];
    job->end_ns = now + warm[length] + last[length];
}

static void case_run(const struct work_case *work)
{
    struct job jobs[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    struct measure *measures = measure_make(work->threads);
    uint64_t now = clock_now_ns();

    for (unsigned i = 0; i < work->threads; i++) {
        jobs[i] = (struct job){.work = work, .measure = &measures[i]};
        order_make(&jobs[i].order, work->next, set.pages, options.ram / PAGE_SIZE);
        jobs[i].order.thread = i;
        jobs[i].order.threads = work->threads;
        jobs[i].order.random = mix(options.seed + mix((uint64_t)(work - cases) * THREADS_MAX + i));
        job_times(&jobs[i], now);
    }
    for (unsigned i = 1; i < work->threads; i++)
        if (pthread_create(&threads[i], NULL, job_run, &jobs[i]))
            die("workload: cannot start a thread");
    job_run(&jobs[0]);
    for (unsigned i = 1; i < work->threads; i++)
        pthread_join(threads[i], NULL);
    measure_print(work->name, measures, work->threads, PAGE_SIZE);
    measure_free(measures, work->threads);
}

static void set_make(void)
{
    set.pages = options.size / PAGE_SIZE;
    set.writes = memory_aside(set.pages * sizeof(*set.writes));
    set.words = options.api ? memory_make_api(options.size, options.ram, options.swap)
                            : memory_make(options.size, options.file);
}

static _Noreturn void usage(const char *what)
{
    fprintf(stderr,
            "workload: %s\n"
            "usage: workload [--size SIZE] [--ram SIZE] [--cases NAME,...] [--seconds S]\n"
            "                [--seed N] [--content random|typical|high] [--corpus FILE]\n"
            "                [--file DIRECTORY | --api PATH]\n"
            "cases:",
            what);
    for (size_t i = 0; i < array_size(cases); i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static uint64_t read_size(const char *text)
{
    uint64_t size = 0;

    if (size_parse(text, 0, &size) || size == 0)
        usage("not a size");
    return size;
}

static void read_option(int c, const char *value)
{
    if (c == 's')
        options.size = read_size(value);
    else if (c == 'r')
        options.ram = read_size(value);
    else if (c == 'c')
        options.list = value;
    else if (c == 't')
        options.seconds = strtod(value, NULL);
    else if (c == 'e')
        options.seed = strtoull(value, NULL, 0);
    else if (c == 'k')
        options.content = value;
    else if (c == 'p')
        options.corpus = value;
    else if (c == 'f')
        options.file = value;
    else if (c == 'a')
        options.swap = value;
    else
        usage("wrong option");
    options.api = options.swap != NULL;
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"size", required_argument, NULL, 's'},   {"ram", required_argument, NULL, 'r'},
        {"cases", required_argument, NULL, 'c'},  {"seconds", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'e'},   {"content", required_argument, NULL, 'k'},
        {"corpus", required_argument, NULL, 'p'}, {"file", required_argument, NULL, 'f'},
        {"api", required_argument, NULL, 'a'},    {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
        read_option(c, optarg);
    if (optind < argc || !(options.seconds > 0) || options.size < 1024 * PAGE_SIZE)
        usage("wrong option");
    if (!content_choose(options.content, options.corpus))
        usage("no such content");
}

static const struct work_case *find_case(const char *name, size_t length)
{
    for (size_t i = 0; i < array_size(cases); i++)
        if (strlen(cases[i].name) == length && strncmp(cases[i].name, name, length) == 0)
            return &cases[i];
    usage("no such case");
}

static void for_each_case(void (*visit)(const struct work_case *work))
{
    for (const char *name = options.list; *name;) {
        size_t length = strcspn(name, ",");
        const struct work_case *work = find_case(name, length);

        if (visit)
            visit(work);
        name += length + (name[length] == ',');
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    for_each_case(NULL); /* a wrong name is found before anything runs */
    set_make();
    for_each_case(case_run);
    return 0;
}
