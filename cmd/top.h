/* SPDX-License-Identifier: MIT */
/*
 * Inside uswap top: what its screens share. The list of processes and the view of one are drawn
 * from the same peers; their past is kept beside them, for they move in their list.
 */
#ifndef USWAP_CMD_TOP_H
#define USWAP_CMD_TOP_H

#include "peer.h"

#include <ncurses.h>

/* Points of a sparkline. */
#define TOP_HISTORY 60
#define TOP_NARROW  45 /* columns: below that some things are left out */

enum top_series {
    TOP_READS,
    TOP_IN,
    TOP_OUT,
    TOP_SERIES,
};

struct top_history {
    pid_t pid; /* 0: of all processes together */
    uint64_t born;
    uint64_t values[TOP_SERIES][TOP_HISTORY]; /* the newest last */
};

enum top_colour {
    TOP_PLAIN,
    TOP_RAM,     /* what is resident */
    TOP_PACKED,  /* compressed RAM, and what is in it */
    TOP_SWAPPED, /* what is in stores */
    TOP_TREND,
    TOP_BAD,
    TOP_TITLE,
};

struct top {
    struct peer *list;
    unsigned count;
    struct top_history all;
    struct top_history *histories;
    unsigned history_count;
    unsigned *order; /* of the list, as it is shown */
    pid_t selected;
    unsigned first_row; /* of the list on the screen */
    unsigned sort;      /* a column of the list */
    bool one;           /* the selected process has the screen */
    bool utf8;
    bool colours;
    double interval;
    char note[160]; /* the last line, until the next key */
    bool asking;    /* for a budget of the selected process, in the last line */
    char answer[16];
};

/* ---- top.c ---- */
const struct peer *top_selected(const struct top *top);
const struct top_history *top_history_of(const struct top *top, const struct peer *peer);

/* ---- top_draw.c ---- */
void top_colour(const struct top *top, enum top_colour colour, bool on);

/* Text from x on, cut at the right edge, at most `width` columns. */
void top_text(int y, int x, int width, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Memory by tier, for a bar: only compressed RAM is in between. */
struct top_tiers {
    uint64_t ram, packed, swapped;
};

/* A bar of `width` cells: parts of `whole`, in this order. */
void top_bar(const struct top *top, int y, int x, int width, const struct top_tiers *tiers,
             uint64_t whole);

/* Two lines from row 1 on: what these processes have resident, of which budget; and swapped. A
 * budget that several share counts once. */
void top_memory(const struct top *top, const struct peer *list, unsigned count);

/* The newest `width` values, scaled to the largest of them. */
void top_sparkline(const struct top *top, int y, int x, int width, const uint64_t *values);

/* 1234567 as "1.2M", for rates; ns as "123 us". Return buffer. */
const char *top_count(uint64_t count, char buffer[16]);
const char *top_time(uint64_t ns, char buffer[16]);

void top_title(const struct top *top, const char *left, const char *keys);
void top_note(const struct top *top);

/* ---- top_list.c, top_one.c ---- */
void top_draw_list(struct top *top);
void top_sort(struct top *top);
unsigned top_columns(void);
const char *top_column_name(unsigned column);
void top_draw_one(struct top *top);

#endif
