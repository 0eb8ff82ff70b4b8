/* SPDX-License-Identifier: MIT */
/* uswap stat: what processes under uswap do, line by line like vmstat. */
#include "ask.h"
#include "base/msg.h"
#include "base/size.h"
#include "command.h"
#include "print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* The times of a header; a terminal page has more lines. */
#define HEADER_EVERY 20

/* Timing goes on for so long after the last look: a reader that dies leaves it on no longer. */
#define PARTS_EXTRA_NS UINT64_C(2000000000)

/* How long a process may take to bring its page up to date. */
#define REFRESH_MS 200

struct request {
    double interval;     /* seconds; 0: once */
    unsigned long count; /* 0: until all have ended */
    bool json;
    bool parts;
    const char *pool; /* NULL: none was named */
};

/* As many as a pool can have. */
#define MEMBERS_MAX 1024

static int read_interval(const char *label, const char *value, void *target)
{
    return command_read_seconds(label, value, (const double[]){0.01, 86400},
                                &((struct request *)target)->interval);
}

static int read_count(const char *label, const char *value, void *target)
{
    struct request *request = target;
    char *end;

    request->count = strtoul(value, &end, 10);
    if (*value >= '0' && *value <= '9' && !*end && request->count > 0)
        return 0;
    msg_error("%s%s: not a number from 1 on", label, value);
    return -1;
}

static int read_json(const char *label, const char *value, void *target)
{
    ((struct request *)target)->json = true;
    return 0;
}

static int read_parts(const char *label, const char *value, void *target)
{
    ((struct request *)target)->parts = true;
    return 0;
}

static const struct option options[] = {
    {"--interval", "SECONDS", "a line every so often, until the process ends", read_interval},
    {"--count", "N", "end after so many lines", read_count},
    {"--json", NULL, "a JSON object a line, with all there is to know", read_json},
    {"--parts", NULL, "time the parts of page faults for an interval", read_parts},
    {0},
};

/* A column that a narrow terminal can spare is left out there. */
static const struct column {
    const char *name;
    int width;
    bool spare;
} columns[] = {
    {"PID", 7, false},     {"RESIDENT", 8, false}, {"COMPRESS", 8, true}, {"SWAPPED", 7, false},
    {"READS/s", 7, false}, {"FAULTS/s", 8, false}, {"AHEAD%", 6, true},   {"IN/s", 7, false},
    {"OUT/s", 7, false},   {"p50 us", 7, false},   {"p99 us", 7, false},  {"ERRORS", 6, false},
};

#define COLUMNS     array_size(columns)
#define ALL_COLUMNS 96 /* what a terminal has where all of them fit */
#define CELL_LENGTH 24

typedef char cells[COLUMNS][CELL_LENGTH];

static bool is_narrow(void)
{
    struct winsize size;

    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col &&
           size.ws_col < ALL_COLUMNS;
}

static void print_cells(cells text)
{
    bool narrow = is_narrow();

    for (size_t i = 0; i < COLUMNS; i++)
        if (!narrow || !columns[i].spare)
            printf("%s%*s", i ? " " : "", columns[i].width, text[i]);
    putchar('\n');
}

static void print_header(void)
{
    cells text;

    for (size_t i = 0; i < COLUMNS; i++)
        snprintf(text[i], CELL_LENGTH, "%s", columns[i].name);
    print_cells(text);
}

/* How many of the objects that were read ahead were seen to be used. */
static unsigned ahead_percent(const struct peer *peer)
{
    uint64_t ahead = status_sum(peer->now, STAT_OBJECTS_READ_AHEAD);
    uint64_t hits = status_sum(peer->now, STAT_READ_AHEAD_HITS);

    if (peer->before) {
        ahead -= status_sum(peer->before, STAT_OBJECTS_READ_AHEAD);
        hits -= status_sum(peer->before, STAT_READ_AHEAD_HITS);
    }
    return ahead ? (unsigned)min_u64(100 * hits / ahead, 100) : 0;
}

static void print_line(const struct peer *peer)
{
    const uint64_t errors =
        status_sum(peer->now, STAT_IO_ERRORS) + status_sum(peer->now, STAT_OBJECTS_POISONED);
    cells text = {"total"};

    if (peer->pid)
        snprintf(text[0], CELL_LENGTH, "%d", (int)peer->pid);
    size_format(peer_resident(peer), text[1]);
    size_format(peer_packed_content(peer), text[2]);
    size_format(peer_swapped(peer), text[3]);
    snprintf(text[4], CELL_LENGTH, "%lu", (unsigned long)peer_rate(peer, STAT_FAULTS_MAJOR));
    snprintf(text[5], CELL_LENGTH, "%lu", (unsigned long)peer_rate(peer, STAT_FAULTS_MINOR));
    snprintf(text[6], CELL_LENGTH, "%u", ahead_percent(peer));
    size_format(peer_rate(peer, STAT_BYTES_READ), text[7]);
    size_format(peer_rate(peer, STAT_BYTES_WRITTEN), text[8]);
    snprintf(text[9], CELL_LENGTH, "%.1f",
             (double)peer_percentile(peer, HISTOGRAM_MAJOR, 50) / 1e3);
    snprintf(text[10], CELL_LENGTH, "%.1f",
             (double)peer_percentile(peer, HISTOGRAM_MAJOR, 99) / 1e3);
    snprintf(text[11], CELL_LENGTH, "%lu", (unsigned long)errors);
    print_cells(text);
}

/* A pool has a line for all of it. */
static void print_total(const struct request *request, const struct peer *list, unsigned count)
{
    struct peer sum;

    if (!request->pool || request->parts || !count || peer_sum(list, count, &sum))
        return;
    if (request->json) {
        print_json_sum(&sum, request->pool, count);
        putchar('\n');
    } else {
        print_line(&sum);
    }
    peer_close(&sum);
}

static void print_all(const struct request *request, const struct peer *list, unsigned count,
                      unsigned long round)
{
    if (!request->json && !request->parts && round % HEADER_EVERY == 0)
        print_header();
    for (unsigned i = 0; i < count; i++) {
        if (request->parts && request->json)
            print_json_parts(&list[i]);
        else if (request->parts)
            print_parts(&list[i]);
        else if (!request->json)
            print_line(&list[i]);
        else {
            print_json_peer(&list[i]);
            putchar('\n');
        }
    }
    print_total(request, list, count);
    fflush(stdout);
}

static void wait_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&time, NULL);
}

/* Switch the timing of parts on, or have it go on. */
static bool time_parts(const struct peer *list, unsigned count, double seconds)
{
    for (unsigned i = 0; i < count; i++) {
        if (ask_for_parts(&list[i], (uint64_t)(seconds * 1e9) + PARTS_EXTRA_NS))
            continue;
        msg_error("%d: %s", (int)list[i].pid, ask_describe(ASK_FORBIDDEN));
        return false;
    }
    return true;
}

/* Regions, and what processes share, are on the page when somebody asks. */
static void bring_up_to_date(struct peer *list, unsigned count)
{
    int ignored;

    for (unsigned i = 0; i < count; i++)
        if (list[i].now->control_thread &&
            ask(&list[i], CONTROL_REFRESH, 0, REFRESH_MS, &ignored) == ASK_DONE &&
            !list[i].before && peer_read_again(&list[i]))
            msg_debug("%d has ended", (int)list[i].pid);
}

static struct peer *update_members(const char *pool, struct peer *list, unsigned *count)
{
    pid_t pids[MEMBERS_MAX];
    int found = pool_list_members(pool, pids, MEMBERS_MAX);

    return peer_update_these(list, count, pids, found > 0 ? (unsigned)found : 0);
}

/* Take off the list what has ended; with one process that was named nothing is added. */
static struct peer *look_again(const struct request *request, struct peer *list, unsigned *count,
                               bool named)
{
    if (request->pool)
        return update_members(request->pool, list, count);
    if (!named)
        return peer_update(list, count);
    if (*count && peer_read(&list[0])) {
        peer_close(&list[0]);
        *count = 0;
    }
    return list;
}

static struct peer *watch(const struct request *request, struct peer *list, unsigned *count,
                          bool named)
{
    double seconds = request->interval > 0 ? request->interval : 1;
    unsigned long rounds = request->count ? request->count : 1;
    bool endless = request->interval > 0 && !request->count;
    bool first = !request->parts && request->interval <= 0;

    for (unsigned long i = 0; (endless || i < rounds) && (*count || !named); i++) {
        if (request->parts && !time_parts(list, *count, seconds))
            break;
        if (!first || i > 0)
            wait_for(seconds);
        if (request->json)
            bring_up_to_date(list, *count);
        if (!first || i > 0)
            list = look_again(request, list, count, named);
        print_all(request, list, *count, i);
    }
    return list;
}

static int run_stat(const struct command *command, char **arguments)
{
    struct request request = {0};
    struct peer *list = NULL;
    unsigned count = 0;
    bool named;
    int status, error;

    if (!command_parse(command, arguments, &request, &arguments, &status))
        return status;
    named = arguments[0] != NULL;
    if (named && arguments[1]) {
        msg_error("stat: %s: give one process or pool, or none for all", arguments[1]);
        return EXIT_USAGE;
    }
    if (named && peer_parse_pid(arguments[0]) < 0) {
        request.pool = arguments[0];
        named = false;
        if (pool_check(request.pool))
            return EXIT_USAGE;
        list = update_members(request.pool, list, &count);
    } else if (named) {
        list = calloc(1, sizeof(*list));
        error = list ? peer_open(peer_parse_pid(arguments[0]), list) : -ENOMEM;
        count = !error;
        if (error)
            peer_explain(arguments[0], error);
    } else {
        list = peer_list(&count);
    }
    status = named && !count ? EXIT_FAILURE : EXIT_SUCCESS;
    if (!status)
        list = watch(&request, list, &count, named);
    peer_close_all(list, count);
    return status;
}

const struct command command_stat = {
    "stat",
    "[PID|POOL]",
    "Show what one process, or all under uswap, are doing",
    "\nOne line has the averages since the start; with --interval, those of each interval. "
    "COMPRESS is the part of SWAPPED that is kept compressed within RESIDENT; READS/s are page "
    "faults that "
    "read from there or from a store, FAULTS/s those that found the page in memory or made "
    "a new one; IN/s and OUT/s bytes read and written; AHEAD% the part of the read-ahead that was "
    "seen to be used; p50 and p99 the times of READS. A pool has a line for each member, and a "
    "total.\n",
    options,
    run_stat,
};
