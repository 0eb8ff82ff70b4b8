/* SPDX-License-Identifier: MIT */
/*
 * Replays sequences of page accesses with several orders of eviction, and prints which part of the
 * accesses finds its page gone: the order that uswap has can be compared with others, and with
 * itself in other measures, without a disk and in the same way every time.
 *
 *     replay TRACE|CASE...             a file, or a case of the workload program
 *     replay --record FILE             make a file from the output of lackey (valgrind) on stdin
 *     replay --record FILE --faults    or from a trace of uswap run
 *
 * The first touch of a page is no miss: fresh memory is read from nowhere.
 */
#include "../work/measure.h"
#include "base/base.h"
#include "policy.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEMS_MAX 32

static const struct policy *const policies[] = {
    &policy_min,    &policy_lru, &policy_clock, &policy_two_queues,
    &policy_s3fifo, &policy_arc, &policy_uswap,
};

static struct {
    const char *policies, *parts, *record;
    uint32_t pages;    /* of a set that is made */
    uint32_t limit;    /* pages; 0: parts of the set */
    uint32_t taken;    /* of the limit, by something else */
    uint32_t accesses; /* 0: as many as it takes */
    bool more, faults;
} options = {.policies = "MIN,LRU,CLOCK,2Q,S3-FIFO,ARC,uswap", .parts = "2,4,16", .pages = 32768};

static _Noreturn void usage(const char *what)
{
    fprintf(stderr,
            "replay: %s\n"
            "usage: replay [--policies NAME[/SETTING...],...] [--parts N,... | --limit PAGES]\n"
            "              [--taken PAGES] [--pages PAGES] [--accesses N] [--more] TRACE|CASE...\n"
            "       replay --record FILE <lackey's output\n"
            "       replay --record FILE --faults <trace of uswap run\n"
            "policies: MIN LRU CLOCK 2Q S3-FIFO ARC uswap\n"
            "settings of uswap: cold=N masked=N near=PERCENT returned=N\n"
            "                   learn=0|1 drop=0|1 reserve=0|1 ahead=0|1\n"
            "cases: rand-read hot zipf scan-hot loop moving phases\n"
            "--taken   of the limit, by tables; --pages  of the set of a case\n"
            "--accesses  of a case, all measured; else 16 a page, after as many to warm up\n"
            "--more    print in percent of the accesses what was found masked and was read ahead, "
            "too\n",
            what);
    exit(2);
}

/* ---- One run ---- */

void *run_memory(struct run *run, uint64_t count, uint64_t size)
{
    void *memory = calloc(count, size);

    if (!memory || run->part_count == RUN_PARTS)
        die("replay: no memory for the state of a policy");
    run->parts[run->part_count++] = memory;
    return memory;
}

static void run_end(struct run *run)
{
    while (run->part_count)
        free(run->parts[--run->part_count]);
}

struct counts {
    uint64_t accesses, misses, minor, ahead;
};

static struct counts replay(struct run *run, const struct policy *policy)
{
    const struct trace *trace = run->trace;
    void *state = policy->make(run);
    bool *seen = run_memory(run, trace->limit, sizeof(*seen));
    struct counts counts = {.accesses = trace->count - trace->warm};

    for (uint64_t at = 0; at < trace->count; at++) {
        uint32_t access = trace->accesses[at], page = trace_page(access);
        bool here;
        if (at == trace->warm)
            run->minor = run->ahead = 0;
        here = policy->touch(state, at, page, access & TRACE_WRITE);
        counts.misses += at >= trace->warm && !here && seen[page];
        seen[page] = true;
    }
    counts.minor = run->minor;
    counts.ahead = run->ahead;
    run_end(run);
    return counts;
}

/* ---- What is asked for ---- */

struct choice {
    const struct policy *policy;
    struct tuning tuning;
    char name[64];
};

static const struct policy *find_policy(const char *name)
{
    for (size_t i = 0; i < array_size(policies); i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    usage("no such policy");
}

static void set(struct tuning *tuning, const char *setting)
{
    char name[16];
    unsigned value;
    bool right = sscanf(setting, "%15[a-z]=%u", name, &value) == 2;

    if (right && strcmp(name, "cold") == 0)
        tuning->cold = (uint32_t)max_u64(value, 1);
    else if (right && strcmp(name, "masked") == 0)
        tuning->masked = value;
    else if (right && strcmp(name, "near") == 0)
        tuning->near = value;
    else if (right && strcmp(name, "returned") == 0)
        tuning->returned = (uint32_t)max_u64(value, 1);
    else if (right && strcmp(name, "learn") == 0)
        tuning->learn = value;
    else if (right && strcmp(name, "drop") == 0)
        tuning->drop = value;
    else if (right && strcmp(name, "reserve") == 0)
        tuning->reserve = value;
    else if (right && strcmp(name, "ahead") == 0)
        tuning->ahead = value;
    else
        usage("no such setting");
}

static struct choice make_choice(const char *text)
{
    struct choice choice = {.tuning = TUNING_AS_IS};
    char words[sizeof(choice.name)], *rest, *word;

    snprintf(choice.name, sizeof(choice.name), "%s", text);
    memcpy(words, choice.name, sizeof(words));
    word = strtok_r(words, "/", &rest);
    choice.policy = find_policy(word ? word : "");
    while ((word = strtok_r(NULL, "/", &rest)))
        set(&choice.tuning, word);
    return choice;
}

static unsigned make_choices(struct choice *choices)
{
    char *list = strdup(options.policies), *rest, *word;
    unsigned count = 0;

    for (word = strtok_r(list, ",", &rest); word && count < ITEMS_MAX;
         word = strtok_r(NULL, ",", &rest))
        choices[count++] = make_choice(word);
    free(list);
    return count;
}

static uint32_t read_number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value == 0 || value > INT32_MAX)
        usage("not a number of pages");
    return (uint32_t)value;
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"policies", required_argument, NULL, 'o'}, {"parts", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'l'},    {"taken", required_argument, NULL, 't'},
        {"pages", required_argument, NULL, 'n'},    {"record", required_argument, NULL, 'r'},
        {"accesses", required_argument, NULL, 'a'}, {"more", no_argument, NULL, 'm'},
        {"faults", no_argument, NULL, 'f'},         {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'o')
            options.policies = optarg;
        else if (c == 'p')
            options.parts = optarg;
        else if (c == 'l')
            options.limit = read_number(optarg);
        else if (c == 't')
            options.taken = read_number(optarg);
        else if (c == 'n')
            options.pages = read_number(optarg);
        else if (c == 'r')
            options.record = optarg;
        else if (c == 'm')
            options.more = true;
        else if (c == 'f')
            options.faults = true;
        else if (c == 'a')
            options.accesses = read_number(optarg);
        else
            usage("wrong option");
    }
}

/* ---- The table ---- */

static void print_head(const struct choice *choices, unsigned count)
{
    printf("%-20s %9s %9s", "misses in percent", "pages", "memory");
    for (unsigned i = 0; i < count; i++)
        printf(" %8s%s", choices[i].name, options.more ? " (masked, ahead)" : "");
    printf("\n");
}

static void print_counts(const struct choice *choice, const struct counts *counts)
{
    int width = (int)max_u64(strlen(choice->name), 8);
    double percent = 100.0 / (double)counts->accesses;

    printf(" %*.3f", width, (double)counts->misses * percent);
    if (options.more)
        printf(" %7.3f %7.3f", (double)counts->minor * percent, (double)counts->ahead * percent);
}

static void print_row(const char *name, const struct trace *trace, uint32_t limit,
                      const struct choice *choices, unsigned count)
{
    const char *base = strrchr(name, '/');

    if (limit < options.taken + 4)
        die("replay: %s: a memory of %u pages is too small", name, limit);
    printf("%-20s %9u %9u", base ? base + 1 : name, trace->used, limit);
    for (unsigned i = 0; i < count; i++) {
        struct run run = {.trace = trace, .capacity = limit - options.taken};
        struct counts counts;
        run.tuning = choices[i].tuning;
        counts = replay(&run, choices[i].policy);
        print_counts(&choices[i], &counts);
        fflush(stdout);
    }
    printf("\n");
}

static void one_limit(const char *name, uint32_t part, const struct choice *choices, unsigned count)
{
    struct trace trace = {0};
    uint32_t limit = options.limit ? options.limit : options.pages / part;

    if (!trace_make(&trace, name, options.pages, limit, options.accesses)) {
        trace_load(&trace, name);
        limit = options.limit ? options.limit : trace.used / part;
    }
    print_row(name, &trace, limit, choices, count);
    trace_free(&trace);
}

static void one_trace(const char *name, const struct choice *choices, unsigned count)
{
    char *parts = strdup(options.limit ? "1" : options.parts), *rest, *part;

    for (part = strtok_r(parts, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        one_limit(name, read_number(part), choices, count);
    free(parts);
}

static int record(void)
{
    struct trace trace = {0};

    if (options.faults)
        trace_from_faults(&trace, stdin);
    else
        trace_from_lackey(&trace, stdin);
    if (!trace.count)
        die("replay: no accesses on stdin");
    trace_save(&trace, options.record);
    fprintf(stderr, "%" PRIu64 " accesses\n", trace.count);
    trace_free(&trace);
    return 0;
}

int main(int argc, char **argv)
{
    struct choice choices[ITEMS_MAX];
    unsigned count;

    read_options(argc, argv);
    if (options.record)
        return record();
    count = make_choices(choices);
    if (optind == argc || !count)
        usage("no trace");
    print_head(choices, count);
    for (int i = optind; i < argc; i++)
        one_trace(argv[i], choices, count);
    return 0;
}
