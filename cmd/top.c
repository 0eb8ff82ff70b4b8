/* SPDX-License-Identifier: MIT */
/*
 * uswap top: a live view on the whole screen. One loop: draw, wait for a key or until the interval
 * is over, look at the processes again. ncurses tells of a new size of the terminal by a key.
 */
#include "top.h"

#include "arena/config.h"
#include "ask.h"
#include "base/clock.h"
#include "base/msg.h"
#include "command.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_ESCAPE 27
#define KEY_RUBOUT 127

/* How long a process may take to describe its regions, and to obey. */
#define REFRESH_MS 100
#define BUDGET_MS  3000

static volatile sig_atomic_t ended_by;

static void on_signal(int signo)
{
    ended_by = signo;
}

/* ---- Data ---- */

const struct peer *top_selected(const struct top *top)
{
    for (unsigned i = 0; i < top->count; i++)
        if (top->list[i].pid == top->selected)
            return &top->list[i];
    return NULL;
}

const struct top_history *top_history_of(const struct top *top, const struct peer *peer)
{
    static const struct top_history none;

    for (unsigned i = 0; i < top->history_count; i++)
        if (top->histories[i].pid == peer->pid && top->histories[i].born == peer->born)
            return &top->histories[i];
    return &none;
}

static void push(struct top_history *history, enum top_series series, uint64_t value)
{
    uint64_t *values = history->values[series];

    memmove(values, values + 1, (TOP_HISTORY - 1) * sizeof(*values));
    values[TOP_HISTORY - 1] = value;
}

static const enum stats_counter counters[TOP_SERIES] = {STAT_FAULTS_MAJOR, STAT_BYTES_READ,
                                                        STAT_BYTES_WRITTEN};

/* The past of those that are there, in a new list; the others are forgotten. */
static void extend_histories(struct top *top)
{
    struct top_history *fresh = calloc(top->count + 1, sizeof(*fresh));
    uint64_t sums[TOP_SERIES] = {0};

    if (!fresh)
        return;
    for (unsigned i = 0; i < top->count; i++) {
        const struct peer *peer = &top->list[i];
        fresh[i] = *top_history_of(top, peer);
        fresh[i].pid = peer->pid;
        fresh[i].born = peer->born;
        for (unsigned s = 0; s < TOP_SERIES; s++) {
            uint64_t rate = peer->before ? peer_rate(peer, counters[s]) : 0;
            push(&fresh[i], s, rate);
            sums[s] += rate;
        }
    }
    for (unsigned s = 0; s < TOP_SERIES; s++)
        push(&top->all, s, sums[s]);
    free(top->histories);
    top->histories = fresh;
    top->history_count = top->count;
}

/* The process on the screen describes its regions anew. */
static void refresh_one(struct top *top)
{
    struct peer *peer = NULL;
    int ignored;

    for (unsigned i = 0; i < top->count; i++)
        if (top->list[i].pid == top->selected)
            peer = &top->list[i];
    if (top->one && peer && peer->now->control_thread)
        ask(peer, CONTROL_REFRESH, 0, REFRESH_MS, &ignored);
}

static void look(struct top *top)
{
    refresh_one(top);
    top->list = peer_update(top->list, &top->count);
    extend_histories(top);
    top_sort(top);
    if (top_selected(top))
        return;
    if (top->one)
        snprintf(top->note, sizeof(top->note), "%d has ended", (int)top->selected);
    top->one = top->asking = false;
    top->selected = top->count ? top->list[top->order[0]].pid : 0;
}

/* ---- Keys ---- */

static void select_by(struct top *top, int step)
{
    for (unsigned i = 0; i < top->count; i++) {
        if (top->list[top->order[i]].pid != top->selected)
            continue;
        int to = (int)i + step;
        to = to < 0 ? 0 : to >= (int)top->count ? (int)top->count - 1 : to;
        top->selected = top->list[top->order[to]].pid;
        return;
    }
}

static void sort_by(struct top *top, int step)
{
    top->sort = (top->sort + top_columns() + (unsigned)step) % top_columns();
    top_sort(top);
    snprintf(top->note, sizeof(top->note), "sorted by %s", top_column_name(top->sort));
}

/* What the reader of sizes has to say goes into the note. */
static void note_message(void *context, enum uswap_level level, const char *line)
{
    struct top *top = context;

    snprintf(top->note, sizeof(top->note), "%s", line);
}

static void draw(struct top *top);

static void change_budget(struct top *top)
{
    struct uswap_options given;
    struct peer peer;
    char text[128];
    int error;

    msg_set_handler(note_message, top);
    uswap_options_init(&given);
    error = config_read_ram("", top->answer, &given);
    if (!error)
        error = peer_open(top->selected, &peer);
    if (!error) {
        snprintf(top->note, sizeof(top->note), "%d: asked for it", (int)peer.pid);
        draw(top);
        ask_for_budget(&peer, given.ram, BUDGET_MS, text, sizeof(text));
        snprintf(top->note, sizeof(top->note), "%d: %s", (int)peer.pid, text);
        peer_close(&peer);
    }
    msg_set_handler(NULL, NULL);
}

static void begin_asking(struct top *top)
{
    *top->answer = '\0';
    top->asking = top_selected(top) != NULL;
}

/* A key of the answer; what is shown goes on meanwhile. */
static void answer(struct top *top, int key)
{
    size_t length = strlen(top->answer);

    switch (key) {
    case KEY_ESCAPE:
        top->asking = false;
        break;
    case '\n':
    case KEY_ENTER:
        top->asking = false;
        if (length)
            change_budget(top);
        break;
    case KEY_BACKSPACE:
    case '\b':
    case KEY_RUBOUT:
        top->answer[length - (length > 0)] = '\0';
        break;
    default:
        if (key > ' ' && key <= '~' && length + 1 < sizeof(top->answer))
            snprintf(top->answer + length, 2, "%c", key);
    }
}

/* False: the end. */
static bool act_on(struct top *top, int key)
{
    if (top->asking) {
        answer(top, key);
        return true;
    }
    *top->note = '\0';
    switch (key) {
    case 'q':
        return false;
    case KEY_ESCAPE:
    case KEY_LEFT:
    case KEY_BACKSPACE:
        top->one = false;
        break;
    case '\n':
    case KEY_ENTER:
    case KEY_RIGHT:
        top->one = top_selected(top) != NULL;
        refresh_one(top);
        break;
    case KEY_UP:
    case 'k':
        select_by(top, -1);
        break;
    case KEY_DOWN:
    case 'j':
        select_by(top, 1);
        break;
    case KEY_PPAGE:
        select_by(top, -LINES);
        break;
    case KEY_NPAGE:
        select_by(top, LINES);
        break;
    case '<':
        sort_by(top, -1);
        break;
    case '>':
        sort_by(top, 1);
        break;
    case 'b':
        begin_asking(top);
        break;
    default:
        break;
    }
    return true;
}

/* ---- Screen ---- */

static bool open_screen(struct top *top)
{
    const char *no_colour = getenv("NO_COLOR") ? getenv("NO_COLOR") : "";

    top->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!newterm(NULL, stdout, stdin))
        return false;
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    top->colours = !*no_colour && has_colors() && start_color() == OK && use_default_colors() == OK;
    if (top->colours) {
        init_pair(TOP_RAM, COLOR_GREEN, -1);
        init_pair(TOP_PACKED, COLOR_MAGENTA, -1);
        init_pair(TOP_SWAPPED, COLOR_YELLOW, -1);
        init_pair(TOP_TREND, COLOR_CYAN, -1);
        init_pair(TOP_BAD, COLOR_RED, -1);
    }
    return true;
}

/* The cursor stands behind the answer. */
static void draw_question(const struct top *top)
{
    char text[64];
    int length =
        snprintf(text, sizeof(text),
                 COLS < TOP_NARROW ? "budget of %d: %s" : "new RAM budget of %d (as 2G): %s",
                 (int)top->selected, top->answer);

    mvhline(LINES - 1, 0, ' ', COLS);
    top_text(LINES - 1, 1, COLS - 1, "%s", text);
    move(LINES - 1, length + 1 < COLS ? length + 1 : COLS - 1);
}

static void draw(struct top *top)
{
    erase();
    if (top->one)
        top_draw_one(top);
    else
        top_draw_list(top);
    if (top->asking)
        draw_question(top);
    else
        top_note(top);
    curs_set(top->asking);
    refresh();
}

/* Keys until the interval is over. False: the end. */
static bool wait_for_keys(struct top *top)
{
    uint64_t end = clock_now_ns() + (uint64_t)(top->interval * 1e9);

    for (;;) {
        uint64_t now = clock_now_ns();
        int key;

        if (ended_by)
            return false;
        if (now >= end)
            return true;
        draw(top);
        timeout((int)((end - now) / 1000000) + 1);
        key = getch();
        if (key == ERR && !isatty(STDIN_FILENO))
            return false;
        if (key != ERR && !act_on(top, key))
            return false;
    }
}

static void watch(struct top *top)
{
    do
        look(top);
    while (wait_for_keys(top));
}

static void close_all(struct top *top)
{
    peer_close_all(top->list, top->count);
    free(top->order);
    free(top->histories);
}

/* ---- The command ---- */

static int read_interval(const char *label, const char *value, void *target)
{
    return command_read_seconds(label, value, (const double[]){0.1, 3600},
                                &((struct top *)target)->interval);
}

static const struct option options[] = {
    {"--interval", "SECONDS", "look so often; default: 1", read_interval},
    {0},
};

static int run_top(const struct command *command, char **arguments)
{
    struct top top = {.interval = 1, .sort = 0};
    struct sigaction action = {.sa_handler = on_signal};
    int status;

    if (!command_parse(command, arguments, &top, &arguments, &status))
        return status;
    if (!command_no_operands(command, arguments))
        return EXIT_USAGE;
    setlocale(LC_CTYPE, "");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !open_screen(&top)) {
        msg_error("top: this is not a terminal that can show it; see uswap stat --help");
        return EXIT_USAGE;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    watch(&top);
    endwin();
    close_all(&top);
    return EXIT_SUCCESS;
}

const struct command command_top = {
    "top",
    "",
    "Watch the processes that run under uswap, on the whole screen",
    "\nKeys: up and down select a process, Enter opens it (regions, times of reads), Escape goes "
    "back, < and > choose the column to sort by, b changes the budget, q quits.\n",
    options,
    run_top,
};
