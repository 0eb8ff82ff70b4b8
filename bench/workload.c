/* SPDX-License-Identifier: MIT */
/*
 * The program that is measured: it makes a set of memory, fills it, and runs the named cases over
 * it, one line of JSON each. The same binary runs under every rival, so that only what is behind
 * the memory differs.
 *
 * The content is unique, does not compress, and is checked: every word of a page follows from the
 * seed, the page number and how often the page has been written, and every read compares the whole
 * page. A benchmark that gives back wrong data is no benchmark: the program says where, and
 * exits 1.
 *
 * Threads share no page: thread t of n has the pages p with p % n == t.
 */
#include "base/clock.h"
#include "base/histogram.h"
#include "base/size.h"
#include "uswap/uswap.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WORDS       (PAGE_SIZE / sizeof(uint64_t))
#define THREADS_MAX 8
#define HOT_PART    10 /* one page of so many is hot */
#define HOT_PERCENT 90 /* of the accesses go to the hot pages */

enum mode { MODE_MALLOC, MODE_MMAP, MODE_API };
static const char *const mode_names[] = {"malloc", "mmap", "api"};

enum order { ORDER_ONCE, ORDER_RANDOM, ORDER_HOT };
enum action { ACTION_READ, ACTION_WRITE, ACTION_READ_WRITE };

struct work_case {
    const char *name;
    enum order order;
    enum action action;
    unsigned threads;
};

static const struct work_case cases[] = {
    {"fill", ORDER_ONCE, ACTION_WRITE, 1},          {"seqread", ORDER_ONCE, ACTION_READ, 1},
    {"seqwrite", ORDER_ONCE, ACTION_READ_WRITE, 1}, {"randread", ORDER_RANDOM, ACTION_READ, 1},
    {"randwrite", ORDER_RANDOM, ACTION_WRITE, 1},   {"randread8", ORDER_RANDOM, ACTION_READ, 8},
    {"randwrite8", ORDER_RANDOM, ACTION_WRITE, 8},  {"hot", ORDER_HOT, ACTION_READ, 1},
    {"verify", ORDER_ONCE, ACTION_READ, 1},
};

static struct {
    enum mode mode;
    uint64_t size;
    uint64_t ram;
    uint64_t object_size;
    const char *swap;
    const char *list;
    double seconds;
    uint64_t seed;
} options = {.mode = MODE_MALLOC,
             .size = GIB,
             .object_size = PAGE_SIZE,
             .list = "fill,seqread,verify",
             .seconds = 4,
             .seed = 1};

static struct {
    uint64_t *words;
    uint64_t pages;
    uint32_t *writes; /* how often each page has been written; not part of the set */
} set;

struct job {
    const struct work_case *work;
    unsigned thread;
    uint64_t random;
    uint64_t measure_ns; /* what is done before this time warms up */
    uint64_t end_ns;
    struct histogram *latency;
    uint64_t ops;
    uint64_t first_ns, last_ns; /* of what was measured */
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t page_tag(uint64_t page)
{
    return mix(options.seed ^ mix(page << 32 | set.writes[page]));
}

/* Cheap, so that it does not show beside a fault, and without a pattern that a compressor finds. */
static uint64_t page_word(uint64_t tag, uint64_t i)
{
    uint64_t x = (tag + i) * 0x9e3779b97f4a7c15u;

    return x ^ (x >> 32);
}

static void page_check(uint64_t page)
{
    const uint64_t *words = set.words + page * WORDS;
    uint64_t tag = page_tag(page);
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < WORDS; i++)
        wrong |= words[i] ^ page_word(tag, i);
    if (unlikely(wrong)) {
        fprintf(stderr,
                "workload: page %" PRIu64 " of write %" PRIu32 " (seed %" PRIu64
                ") has wrong content\n",
                page, set.writes[page], options.seed);
        exit(1);
    }
}

static void page_write(uint64_t page)
{
    uint64_t *words = set.words + page * WORDS;

    set.writes[page]++;
    uint64_t tag = page_tag(page);
    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = page_word(tag, i);
}

static uint64_t job_random(struct job *job, uint64_t below)
{
    job->random += 0x9e3779b97f4a7c15u;
    return (uint64_t)(((unsigned __int128)mix(job->random) * below) >> 64);
}

static uint64_t job_page(struct job *job, uint64_t step)
{
    const struct work_case *work = job->work;
    uint64_t group = work->order == ORDER_HOT ? HOT_PART : work->threads;
    uint64_t page = job_random(job, set.pages / group) * group + job->thread;

    if (work->order == ORDER_ONCE)
        return step;
    if (work->order == ORDER_HOT && job_random(job, 100) >= HOT_PERCENT)
        page += 1 + job_random(job, HOT_PART - 1);
    return page;
}

static void job_access(const struct job *job, uint64_t page)
{
    if (job->work->action != ACTION_WRITE)
        page_check(page);
    if (job->work->action != ACTION_READ)
        page_write(page);
}

/* One clock call an operation: its end is the start of the next. */
static void *job_run(void *argument)
{
    struct job *job = argument;
    bool once = job->work->order == ORDER_ONCE;
    uint64_t now = clock_now_ns();

    for (uint64_t step = 0; once ? step < set.pages : now < job->end_ns; step++) {
        uint64_t start = now;
        job_access(job, job_page(job, step));
        now = clock_now_ns();
        if (start < job->measure_ns)
            continue;
        if (job->ops++ == 0)
            job->first_ns = start;
        job->last_ns = now;
        histogram_add(job->latency, now - start);
    }
    return NULL;
}

static uint64_t peak_rss(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *status = fopen("/proc/self/status", "r");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib * KIB;
}

static void case_report(const struct work_case *work, const struct job *jobs,
                        const struct histogram *latency)
{
    uint64_t ops = 0;
    uint64_t first = UINT64_MAX;
    uint64_t last = 0;

    for (unsigned i = 0; i < work->threads; i++) {
        ops += jobs[i].ops;
        if (jobs[i].ops) {
            first = min_u64(first, jobs[i].first_ns);
            last = max_u64(last, jobs[i].last_ns);
        }
    }
    printf("{\"case\":\"%s\",\"mode\":\"%s\",\"threads\":%u,\"ops\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"ns\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64
           ",\"rss_peak_bytes\":%" PRIu64 "}\n",
           work->name, mode_names[options.mode], work->threads, ops, ops * PAGE_SIZE,
           ops ? last - first : 0, histogram_percentile(latency, 50),
           histogram_percentile(latency, 99), latency->maximum, peak_rss());
    fflush(stdout);
}

static void case_run(const struct work_case *work)
{
    static struct histogram latency;
    static struct job jobs[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    uint64_t now = clock_now_ns();
    uint64_t length = (uint64_t)(options.seconds * 1e9);
    bool once = work->order == ORDER_ONCE;

    memset(&latency, 0, sizeof(latency));
    for (unsigned i = 0; i < work->threads; i++) {
        jobs[i] = (struct job){.work = work, .thread = i, .latency = &latency};
        jobs[i].random = mix(options.seed + mix((uint64_t)(work - cases) * THREADS_MAX + i));
        jobs[i].measure_ns = once ? 0 : now + length / 4;
        jobs[i].end_ns = now + length;
    }
    for (unsigned i = 1; i < work->threads; i++)
        if (pthread_create(&threads[i], NULL, job_run, &jobs[i])) {
            fprintf(stderr, "workload: cannot start a thread\n");
            exit(1);
        }
    job_run(&jobs[0]);
    for (unsigned i = 1; i < work->threads; i++)
        pthread_join(threads[i], NULL);
    case_report(work, jobs, &latency);
}

static void *map_anonymous(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void *map_api(size_t size)
{
    struct uswap_options start;
    struct uswap_map_options map = {.object_size = options.object_size, .name = "workload"};
    void *memory = NULL;

    uswap_options_init(&start);
    start.ram = options.ram;
    start.stores[0].path = options.swap;
    start.stores_count = options.swap ? 1 : 0;
    if (uswap_start(&start) || uswap_map(size, &map, &memory))
        return NULL;
    return memory;
}

static void set_make(void)
{
    void *memory = NULL;

    set.pages = options.size / PAGE_SIZE;
    set.writes = map_anonymous(set.pages * sizeof(*set.writes));
    if (options.mode == MODE_API)
        memory = map_api(options.size);
    else if (options.mode == MODE_MMAP)
        memory = map_anonymous(options.size);
    else
        memory = malloc(options.size + PAGE_SIZE);
    if (!memory || !set.writes) {
        fprintf(stderr, "workload: no memory for the set (%s)\n", mode_names[options.mode]);
        exit(1);
    }
    set.words = (uint64_t *)align_up((uintptr_t)memory, PAGE_SIZE);
}

static _Noreturn void usage(const char *what)
{
    fprintf(stderr,
            "workload: %s\n"
            "usage: workload [--mode malloc|mmap|api] [--size SIZE] [--cases NAME,...]\n"
            "                [--seconds S] [--seed N]\n"
            "                [--ram SIZE] [--swap PATH] [--object-size SIZE]   (mode api)\n"
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

static enum mode read_mode(const char *text)
{
    for (size_t i = 0; i < array_size(mode_names); i++)
        if (strcmp(text, mode_names[i]) == 0)
            return (enum mode)i;
    usage("no such mode");
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"mode", required_argument, NULL, 'm'},
        {"size", required_argument, NULL, 's'},
        {"cases", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'e'},
        {"ram", required_argument, NULL, 'r'},
        {"swap", required_argument, NULL, 'w'},
        {"object-size", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'm':
            options.mode = read_mode(optarg);
            break;
        case 's':
            options.size = read_size(optarg);
            break;
        case 'c':
            options.list = optarg;
            break;
        case 't':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'e':
            options.seed = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            options.ram = read_size(optarg);
            break;
        case 'w':
            options.swap = optarg;
            break;
        case 'o':
            options.object_size = read_size(optarg);
            break;
        default:
            usage("wrong option");
        }
    }
    if (optind < argc || !(options.seconds > 0) ||
        options.size < THREADS_MAX * HOT_PART * PAGE_SIZE)
        usage("wrong option");
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
