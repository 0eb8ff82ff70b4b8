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

void top_bar(const struct top *top, int y, int x, int width, uint64_t resident, uint64_t swapped,
             uint64_t whole)
{
    int in_ram = cells_of(resident, whole, width);
    int out = cells_of(swapped, whole, width);

    if (in_ram > width)
        in_ram = width;
    if (out > width - in_ram)
        out = width - in_ram;
    top_colour(top, TOP_RAM, true);
    put_cells(top, y, x, in_ram, "\u2588", '#');
    top_colour(top, TOP_RAM, false);
    top_colour(top, TOP_SWAPPED, true);
    put_cells(top, y, x + in_ram, out, "\u2592", '=');
    top_colour(top, TOP_SWAPPED, false);
    put_cells(top, y, x + in_ram + out, width - in_ram - out, "\u00b7", '.');
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
