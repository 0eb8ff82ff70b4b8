/* SPDX-License-Identifier: MIT */
/*
 * uswap top: the list of processes. What it shows of each depends on the width of the terminal:
 * columns have a rank, and those of the highest ranks are left out until the command has some room.
 */
#include "base/size.h"
#include "top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMAND_MIN 12
#define HEADER_ROWS 6
#define RANK_MAX    10

static uint64_t value_pid(const struct peer *peer)
{
    return (uint64_t)peer->pid;
}

static uint64_t value_user(const struct peer *peer)
{
    return peer->uid;
}

static uint64_t value_pool(const struct peer *peer)
{
    return peer->now->gauges.pool;
}

static uint64_t value_budget(const struct peer *peer)
{
    return peer->now->gauges.limit;
}

static uint64_t value_reads(const struct peer *peer)
{
    return peer_rate(peer, STAT_FAULTS_MAJOR);
}

static uint64_t value_faults(const struct peer *peer)
{
    return peer_rate(peer, STAT_FAULTS_MINOR);
}

static uint64_t value_in(const struct peer *peer)
{
    return peer_rate(peer, STAT_BYTES_READ);
}

static uint64_t value_out(const struct peer *peer)
{
    return peer_rate(peer, STAT_BYTES_WRITTEN);
}

static uint64_t value_p99(const struct peer *peer)
{
    return peer_percentile(peer, HISTOGRAM_MAJOR, 99);
}

static uint64_t value_all(const struct peer *peer)
{
    return peer_resident(peer) + peer_swapped(peer);
}

enum kind {
    KIND_NUMBER,
    KIND_USER,
    KIND_POOL,
    KIND_SIZE,
    KIND_COUNT,
    KIND_US,
    KIND_BAR,
    KIND_TREND,
    KIND_COMMAND,
};

static const struct column {
    const char *name;
    int width;
    unsigned rank; /* the higher, the sooner it is left out */
    enum kind kind;
    uint64_t (*value)(const struct peer *peer);
} columns[] = {
    {"PID", 7, 0, KIND_NUMBER, value_pid},        {"USER", 8, 7, KIND_USER, value_user},
    {"POOL", 8, 8, KIND_POOL, value_pool},        {"BUDGET", 7, 4, KIND_SIZE, value_budget},
    {"RAM", 7, 3, KIND_SIZE, peer_resident},      {"SWAPPED", 7, 2, KIND_SIZE, peer_swapped},
    {"MEMORY", 12, 5, KIND_BAR, value_all},       {"READS/s", 7, 1, KIND_COUNT, value_reads},
    {"TREND", 8, 6, KIND_TREND, value_reads},     {"p99 us", 7, 6, KIND_US, value_p99},
    {"FAULTS/s", 8, 9, KIND_COUNT, value_faults}, {"IN/s", 7, 10, KIND_SIZE, value_in},
    {"OUT/s", 7, 10, KIND_SIZE, value_out},       {"COMMAND", 0, 0, KIND_COMMAND, NULL},
};

#define COLUMNS (unsigned)array_size(columns)

unsigned top_columns(void)
{
    return COLUMNS - 1; /* without the command */
}

const char *top_column_name(unsigned column)
{
    return columns[column].name;
}

/* The highest rank for which there is room. */
static unsigned highest_rank(void)
{
    for (unsigned rank = RANK_MAX; rank > 0; rank--) {
        int used = 1;
        for (unsigned i = 0; i < COLUMNS; i++)
            if (columns[i].rank <= rank)
                used += columns[i].width + 1;
        if (used + COMMAND_MIN <= COLS)
            return rank;
    }
    return 0;
}

/* ---- Order ---- */

static const struct top *sorted; /* for qsort() */

static int compare(const void *a, const void *b)
{
    const struct peer *left = &sorted->list[*(const unsigned *)a];
    const struct peer *right = &sorted->list[*(const unsigned *)b];
    uint64_t (*value)(const struct peer *) = columns[sorted->sort].value;
    uint64_t x = value(left), y = value(right);

    /* Large values first, numbers of processes from small to large. */
    if (x != y && sorted->sort)
        return x < y ? 1 : -1;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

void top_sort(struct top *top)
{
    top->order = realloc(top->order, (top->count + 1) * sizeof(*top->order));
    if (!top->order)
        abort();
    for (unsigned i = 0; i < top->count; i++)
        top->order[i] = i;
    sorted = top;
    qsort(top->order, top->count, sizeof(*top->order), compare);
}

/* ---- Rows ---- */

static void draw_cell(const struct top *top, const struct column *column, const struct peer *peer,
                      int y, int x)
{
    uint64_t value = column->value ? column->value(peer) : 0;
    int width = column->width;
    char text[16];

    switch (column->kind) {
    case KIND_NUMBER:
        top_text(y, x, width, "%*lu", width, (unsigned long)value);
        break;
    case KIND_USER:
        top_text(y, x, width, "%s", peer_user(peer));
        break;
    case KIND_POOL:
        top_text(y, x, width, "%s", peer_pool(peer));
        break;
    case KIND_SIZE:
        top_text(y, x, width, "%*s", width, size_format(value, text));
        break;
    case KIND_COUNT:
        top_text(y, x, width, "%*s", width, top_count(value, text));
        break;
    case KIND_US:
        top_text(y, x, width, "%*s", width, value ? top_count(value / 1000, text) : "-");
        break;
    case KIND_BAR:
        top_bar(top, y, x, width,
                &(struct top_tiers){peer_resident(peer), peer_packed_content(peer),
                                    peer_swapped(peer) - peer_packed_content(peer)},
                max_u64(value, peer->now->gauges.limit));
        break;
    case KIND_TREND:
        top_sparkline(top, y, x, width, top_history_of(top, peer)->values[TOP_READS]);
        break;
    case KIND_COMMAND:
        top_text(y, x, COLS - x, "%s", peer->command);
        break;
    }
}

static void draw_row(const struct top *top, const struct peer *peer, int y, unsigned rank)
{
    int x = 1;

    for (unsigned i = 0; i < COLUMNS; i++) {
        if (columns[i].rank > rank)
            continue;
        draw_cell(top, &columns[i], peer, y, x);
        x += columns[i].width + 1;
    }
    if (peer->pid == top->selected)
        mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
}

static void draw_names(const struct top *top, int y, unsigned rank)
{
    int x = 1;

    attron(A_BOLD);
    for (unsigned i = 0; i < COLUMNS; i++) {
        const struct column *column = &columns[i];
        bool left = column->kind == KIND_USER || column->kind == KIND_POOL ||
                    column->kind == KIND_BAR || column->kind == KIND_TREND ||
                    column->kind == KIND_COMMAND;

        if (column->rank > rank)
            continue;
        if (i == top->sort)
            attron(A_UNDERLINE);
        if (left)
            top_text(y, x, COLS - x, "%s", column->name);
        else
            top_text(y, x, COLS - x, "%*s", column->width, column->name);
        attroff(A_UNDERLINE);
        x += column->width + 1;
    }
    attroff(A_BOLD);
}

/* ---- The head: all processes together ---- */

static void draw_series(const struct top *top, int y, int x, int width, const char *label,
                        enum top_series series, bool bytes)
{
    uint64_t value = top->all.values[series][TOP_HISTORY - 1];
    char text[16];

    top_text(y, x, width - 1, width > 16 ? "%-5s %7s/s" : "%s %s/s", label,
             bytes ? size_format(value, text) : top_count(value, text));
    if (width > 20)
        top_sparkline(top, y, x + 16, width - 18, top->all.values[series]);
}

static void draw_head(const struct top *top)
{
    int width = COLS / (COLS < TOP_NARROW ? 2 : 3);

    top_memory(top, top->list, top->count);
    draw_series(top, 3, 1, width, "reads", TOP_READS, false);
    draw_series(top, 3, 1 + width, width, "in", TOP_IN, true);
    if (COLS >= TOP_NARROW)
        draw_series(top, 3, 1 + 2 * width, width, "out", TOP_OUT, true);
}

static void draw_title(const struct top *top)
{
    char left[64], clock[16];
    time_t now = time(NULL);
    struct tm local;

    localtime_r(&now, &local);
    strftime(clock, sizeof(clock), "%H:%M:%S", &local);
    if (COLS < TOP_NARROW)
        *clock = '\0';
    snprintf(left, sizeof(left), "uswap top  %s%s%u process%s", clock, *clock ? "  " : "",
             top->count, top->count == 1 ? "" : "es");
    top_title(top, left, "Enter open  b budget  < > sort  q quit");
}

/* The selected row is on the screen. */
static void scroll_to_selected(struct top *top, unsigned rows)
{
    unsigned at = 0;

    for (unsigned i = 0; i < top->count; i++)
        if (top->list[top->order[i]].pid == top->selected)
            at = i;
    if (at < top->first_row)
        top->first_row = at;
    else if (at >= top->first_row + rows)
        top->first_row = at - rows + 1;
}

void top_draw_list(struct top *top)
{
    unsigned rows = LINES > HEADER_ROWS ? (unsigned)(LINES - HEADER_ROWS) : 1;
    unsigned rank = highest_rank();

    draw_title(top);
    draw_head(top);
    draw_names(top, 5, rank);
    scroll_to_selected(top, rows);
    for (unsigned i = 0; i < rows && top->first_row + i < top->count; i++)
        draw_row(top, &top->list[top->order[top->first_row + i]], HEADER_ROWS + (int)i, rank);
    if (!top->count)
        top_text(HEADER_ROWS + 1, 1, COLS - 1, "Nothing runs under uswap.");
}
