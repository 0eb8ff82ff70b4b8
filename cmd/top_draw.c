/* SPDX-License-Identifier: MIT */
/* uswap top: lines, bars and sparklines, in UTF-8 or in plain ASCII, with colours or without. */
#include "base/fmt.h"
#include "base/size.h"
#include "top.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void top_colour(const struct top *top, enum top_colour colour, bool on)
{
    attr_t attribute = top->colours ? (attr_t)COLOR_PAIR(colour) : 0;

    if (colour == TOP_TITLE)
        attribute = A_REVERSE;
    else if (colour == TOP_BAD || (!top->colours && colour == TOP_RAM))
        attribute |= A_BOLD;
    if (on)
        attron(attribute);
    else
        attroff(attribute);
}

void top_text(int y, int x, int width, const char *format, ...)
{
    char text[512];
    va_list args;

    if (y >= LINES || x >= COLS)
        return;
    if (width > COLS - x)
        width = COLS - x;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    mvaddnstr(y, x, text, width);
}

/* A cell: how it looks in UTF-8, and in ASCII. */
static void put_cells(const struct top *top, int y, int x, int count, const char *utf8, char ascii)
{
    if (y >= LINES)
        return;
    move(y, x);
    for (int i = 0; i < count && x + i < COLS; i++) {
        if (top->utf8)
            addstr(utf8);
        else
            addch((chtype)ascii);
    }
}

static int cells_of(uint64_t part, uint64_t whole, int width)
{
    double cells = whole ? (double)part / (double)whole * width : 0;

    return part && cells < 1 ? 1 : (int)(cells + 0.5);
}

/* Returns the cells that are left. */
static int put_part(const struct top *top, int y, int x, int left, int cells,
                    enum top_colour colour)
{
    static const char *const utf8[] = {
        [TOP_RAM] = "\u2588", [TOP_PACKED] = "\u2593", [TOP_SWAPPED] = "\u2592"};
    static const char ascii[] = {[TOP_RAM] = '#', [TOP_PACKED] = '%', [TOP_SWAPPED] = '='};

    if (cells > left)
        cells = left;
    top_colour(top, colour, true);
    put_cells(top, y, x, cells, utf8[colour], ascii[colour]);
    top_colour(top, colour, false);
    return left - cells;
}

void top_bar(const struct top *top, int y, int x, int width, const struct top_tiers *tiers,
             uint64_t whole)
{
    int end = x + width, left = width;

    left = put_part(top, y, end - left, left, cells_of(tiers->ram, whole, width), TOP_RAM);
    left = put_part(top, y, end - left, left, cells_of(tiers->packed, whole, width), TOP_PACKED);
    left = put_part(top, y, end - left, left, cells_of(tiers->swapped, whole, width), TOP_SWAPPED);
    put_cells(top, y, end - left, left, "\u00b7", '.');
}

/* "12M", and how much of it is compressed, where there is room for that. */
static void put_size(int y, int x, uint64_t size, uint64_t packed, const char *behind)
{
    char a[16], b[16], more[40] = "";
    int width;

    size_format(size, a);
    width = x + (int)(strlen(a) + strlen(behind));
    if (packed)
        fmt_write(more, sizeof(more), ", %s compressed", size_format(packed, b));
    top_text(y, x, COLS, "%s%s%s", a, behind, width + (int)strlen(more) < COLS ? more : "");
}

/* Whether one before it shares its budget. */
static bool is_counted(const struct peer *list, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (peer_shares(&list[i], &list[at]))
            return true;
    return false;
}

void top_memory(const struct top *top, const struct peer *list, unsigned count)
{
    uint64_t budget = 0, resident = 0, swapped = 0, memory = 0, content = 0, whole;
    int bar = COLS > 60 ? COLS - 46 : 0, x = bar ? 12 + bar : 10;
    char of[24], size[16];

    for (unsigned i = 0; i < count; i++) {
        budget += is_counted(list, i) ? 0 : list[i].now->gauges.limit;
        resident += peer_resident(&list[i]);
        swapped += peer_swapped(&list[i]);
        memory += peer_packed_memory(&list[i]);
        content += peer_packed_content(&list[i]);
    }
    whole = max_u64(max_u64(budget, resident), max_u64(swapped, 1));
    fmt_write(of, sizeof(of), " of %s", size_format(budget, size));
    top_text(1, 1, 9, "RAM");
    top_bar(top, 1, 10, bar, &(struct top_tiers){.ram = resident - memory, .packed = memory},
            whole);
    put_size(1, x, resident, memory, of);
    top_text(2, 1, 9, "swapped");
    top_bar(top, 2, 10, bar, &(struct top_tiers){.packed = content, .swapped = swapped - content},
            whole);
    put_size(2, x, swapped, content, "");
}

void top_sparkline(const struct top *top, int y, int x, int width, const uint64_t *values)
{
    static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char ascii[] = " _.-:=+*#";
    uint64_t largest = 1;

    if (width > TOP_HISTORY)
        width = TOP_HISTORY;
    values += TOP_HISTORY - width;
    for (int i = 0; i < width; i++)
        largest = max_u64(largest, values[i]);
    top_colour(top, TOP_TREND, true);
    for (int i = 0; i < width; i++) {
        unsigned level = (unsigned)((values[i] * 8 + largest - 1) / largest);
        put_cells(top, y, x + i, 1, blocks[level], ascii[level]);
    }
    top_colour(top, TOP_TREND, false);
}

const char *top_count(uint64_t count, char buffer[16])
{
    static const char units[] = "KMGT";
    unsigned unit = 0;
    uint64_t tenths = count * 10;

    if (count < 10000) {
        fmt_write(buffer, 16, "%lu", (unsigned long)count);
        return buffer;
    }
    for (tenths /= 1000; tenths >= 10000 && unit < 3; unit++)
        tenths /= 1000;
    if (tenths < 1000)
        fmt_write(buffer, 16, "%lu.%lu%c", (unsigned long)tenths / 10, (unsigned long)tenths % 10,
                  units[unit]);
    else
        fmt_write(buffer, 16, "%lu%c", (unsigned long)tenths / 10, units[unit]);
    return buffer;
}

const char *top_time(uint64_t ns, char buffer[16])
{
    if (ns < 1000000)
        fmt_write(buffer, 16, "%lu us", (unsigned long)(ns / 1000));
    else if (ns < 10000000)
        fmt_write(buffer, 16, "%lu.%lu ms", (unsigned long)(ns / 1000000),
                  (unsigned long)(ns / 100000 % 10));
    else if (ns < UINT64_C(10000000000))
        fmt_write(buffer, 16, "%lu ms", (unsigned long)(ns / 1000000));
    else
        fmt_write(buffer, 16, "%lu s", (unsigned long)(ns / 1000000000));
    return buffer;
}

/* Keys at the right edge, when there is room for them. */
void top_title(const struct top *top, const char *left, const char *keys)
{
    int at = COLS - (int)strlen(keys) - 1;

    top_colour(top, TOP_TITLE, true);
    mvhline(0, 0, ' ', COLS);
    top_text(0, 1, COLS - 1, "%s", left);
    if (at > (int)strlen(left) + 2)
        top_text(0, at, COLS - at, "%s", keys);
    top_colour(top, TOP_TITLE, false);
}

void top_note(const struct top *top)
{
    if (!*top->note)
        return;
    attron(A_BOLD);
    mvhline(LINES - 1, 0, ' ', COLS);
    top_text(LINES - 1, 1, COLS - 1, "%s", top->note);
    attroff(A_BOLD);
}
