/* SPDX-License-Identifier: MIT */
/* uswap top: one process, with its regions and the times of its faults. */
#include "base/size.h"
#include "top.h"

#include <string.h>

/* Times are shown by powers of two, from 1 us to 8 s. */
#define POWER_MIN 10
#define POWERS    24

#define FIRST_ROW 7

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)min_u64(part * 100 / whole, 100) : 0;
}

static void draw_memory(const struct top *top, const struct peer *peer)
{
    const struct status_gauges *gauges = &peer->now->gauges;
    char a[16];

    top_memory(top, peer, 1);
    if (COLS >= 70)
        top_text(3, 44, COLS, "in use at most %s",
                 size_format(max_u64(gauges->demand_peak, gauges->peak), a));
}

static void draw_rate(const struct top *top, int y, const struct top_history *history,
                      enum top_series series, const char *label, const char *text)
{
    top_text(y, 1, 9, "%s", label);
    top_text(y, 10, 10, "%8s/s", text);
    top_sparkline(top, y, 21, COLS > 60 ? 20 : COLS - 22, history->values[series]);
}

static void draw_rates(const struct top *top, const struct peer *peer)
{
    const struct top_history *history = top_history_of(top, peer);
    uint64_t ahead = status_sum(peer->now, STAT_OBJECTS_READ_AHEAD);
    uint64_t errors = status_sum(peer->now, STAT_IO_ERRORS);
    uint64_t lost = status_sum(peer->now, STAT_OBJECTS_POISONED);
    char a[16], b[16];

    draw_rate(top, 3, history, TOP_READS, "reads",
              top_count(peer_rate(peer, STAT_FAULTS_MAJOR), a));
    draw_rate(top, 4, history, TOP_IN, "in", size_format(peer_rate(peer, STAT_BYTES_READ), a));
    draw_rate(top, 5, history, TOP_OUT, "out", size_format(peer_rate(peer, STAT_BYTES_WRITTEN), a));
    if (COLS < 70)
        return;
    top_text(4, 44, COLS, "p50 %s, p99 %s, %s faults/s",
             top_time(peer_percentile(peer, HISTOGRAM_MAJOR, 50), a),
             top_time(peer_percentile(peer, HISTOGRAM_MAJOR, 99), b),
             top_count(peer_rate(peer, STAT_FAULTS_MINOR), (char[16]){0}));
    top_text(5, 44, COLS, "read ahead %s, %u %% seen used", top_count(ahead, a),
             percent(status_sum(peer->now, STAT_READ_AHEAD_HITS), ahead));
    if (errors + lost) {
        top_colour(top, TOP_BAD, true);
        top_text(6, 44, COLS, "%lu IO errors, %lu objects lost", (unsigned long)errors,
                 (unsigned long)lost);
        top_colour(top, TOP_BAD, false);
    }
}

/* Who shares its budget, and what they have of it. */
static void draw_others(const struct top *top, const struct peer *peer)
{
    unsigned count = 0;
    uint64_t resident = 0;
    char size[16];

    for (unsigned i = 0; i < top->count; i++) {
        if (top->list[i].pid == peer->pid || !peer_shares(&top->list[i], peer))
            continue;
        count++;
        resident += peer_resident(&top->list[i]);
    }
    if (count)
        top_text(6, 1, COLS < 70 ? COLS : 42, "%u other%s of pool %s: %s", count,
                 count == 1 ? "" : "s", peer_pool(peer), size_format(resident, size));
}

static const struct status_region *region_before(const struct peer *peer, uint64_t address)
{
    const struct status_regions *regions = peer->before ? &peer->before->regions : NULL;

    for (uint32_t i = 0; regions && i < regions->count && i < STATUS_REGIONS; i++)
        if (regions->list[i].address == address)
            return &regions->list[i];
    return NULL;
}

static uint64_t per_second(const struct peer *peer, uint64_t now, uint64_t before)
{
    double seconds = (double)(peer->now_ns - peer->before_ns) / 1e9;

    return peer->before && now > before && seconds > 0
               ? (uint64_t)((double)(now - before) / seconds)
               : 0;
}

static void draw_region(const struct top *top, const struct peer *peer,
                        const struct status_region *region, int y, uint64_t hottest)
{
    const struct status_region *before = region_before(peer, region->address);
    uint64_t reads = per_second(peer, region->reads, before ? before->reads : region->reads);
    uint64_t out =
        per_second(peer, region->evictions, before ? before->evictions : region->evictions);
    char name[STATUS_REGION_NAME + 1], size[16], object[16], a[16], b[16];

    memcpy(name, region->name, STATUS_REGION_NAME);
    name[STATUS_REGION_NAME] = '\0';
    if (!*name)
        snprintf(name, sizeof(name), "%#lx", (unsigned long)region->address);
    top_count(reads, a);
    top_count(out, b);
    if (COLS < TOP_NARROW)
        top_text(y, 1, COLS, "%-10.10s %8s %8s", name, a, b);
    else
        top_text(y, 1, COLS, "%-16.16s %7s %5s %8s %8s", name, size_format(region->size, size),
                 size_format(region->object_size, object), a, b);
    if (COLS > 60)
        top_bar(top, y, 50, COLS - 52,
                &(struct top_tiers){.swapped = region->reads + region->evictions},
                max_u64(hottest, 1));
}

/* Returns the row after the last one. */
static int draw_regions(const struct top *top, const struct peer *peer, int y, int rows)
{
    const struct status_regions *regions = &peer->now->regions;
    uint32_t count = (uint32_t)min_u64(regions->count, STATUS_REGIONS);
    uint64_t hottest = count ? regions->list[0].reads + regions->list[0].evictions : 0;

    attron(A_BOLD);
    if (COLS < TOP_NARROW)
        top_text(y, 1, COLS, "%-10s %8s %8s", "HOTTEST", "READS/s", "OUT/s");
    else
        top_text(y, 1, COLS, "%-16s %7s %5s %8s %8s", "HOTTEST REGIONS", "SIZE", "OBJ", "READS/s",
                 "OUT/s");
    if (COLS > 60)
        top_text(y, 50, COLS, "TRAFFIC SO FAR");
    attroff(A_BOLD);
    y++;
    if (!count)
        top_text(y++, 1, COLS, "%s",
                 peer->now->control_thread ? "none" : "not listed: it is small");
    for (uint32_t i = 0; i < count && (int)i < rows; i++)
        draw_region(top, peer, &regions->list[i], y++, hottest);
    return y;
}

/* Sum buckets up by powers of two: [0] is all below. */
static void by_powers(const struct histogram *times, uint64_t powers[POWERS])
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t edge = histogram_upper_edge(i);
        unsigned power = edge ? 64 - (unsigned)__builtin_clzll(edge) : 0;
        unsigned at = power <= POWER_MIN ? 0 : power - POWER_MIN;

        powers[at < POWERS ? at : POWERS - 1] += times->count[i];
    }
}

/* The powers to show: all that count something, or, when there are too many for the rows, every
 * second, third... of them, with what those before it have. Returns the step. */
static unsigned choose_powers(uint64_t powers[POWERS], unsigned rows, unsigned *first,
                              unsigned *last)
{
    unsigned step;

    *first = POWERS;
    *last = 0;
    for (unsigned i = 0; i < POWERS; i++) {
        if (!powers[i])
            continue;
        *first = *first < i ? *first : i;
        *last = i;
    }
    step = *first == POWERS ? 1 : (*last - *first) / rows + 1;
    for (unsigned i = *first; i <= *last && i < POWERS; i++)
        if ((*last - i) % step)
            powers[i + 1] += powers[i];
    if (*first < POWERS)
        *first += (*last - *first) % step;
    return step;
}

static void draw_histogram(const struct top *top, const struct peer *peer, int y, int rows)
{
    uint64_t powers[POWERS] = {0}, largest = 1;
    unsigned first, last, step;
    struct histogram times = {0};
    char a[16];

    status_merge(peer->now, HISTOGRAM_MAJOR, &times);
    by_powers(&times, powers);
    step = choose_powers(powers, rows > 0 ? (unsigned)rows : 1, &first, &last);
    for (unsigned i = first; i <= last && i < POWERS; i += step)
        largest = max_u64(largest, powers[i]);
    attron(A_BOLD);
    top_text(y++, 1, COLS, "%-16s %8s", "TIME OF READS", "COUNT");
    attroff(A_BOLD);
    if (first == POWERS)
        top_text(y, 1, COLS, "no reads so far");
    for (unsigned i = first; i <= last && i < POWERS && rows > 0; i += step, y++) {
        top_text(y, 1, COLS, "up to %7s    %8lu", top_time((uint64_t)1 << (POWER_MIN + i), a),
                 (unsigned long)powers[i]);
        top_bar(top, y, 28, COLS - 30, &(struct top_tiers){.ram = powers[i]}, largest);
    }
}

void top_draw_one(struct top *top)
{
    const struct peer *peer = top_selected(top);
    int rows = LINES - FIRST_ROW - 4, y;
    char left[128];

    snprintf(left, sizeof(left), "%d %s  %.80s", (int)peer->pid, peer_user(peer), peer->command);
    if (COLS > 40 && (int)strlen(left) > COLS - 32)
        left[COLS - 32] = '\0';
    top_title(top, left, "b budget  Esc back  q quit");
    draw_memory(top, peer);
    draw_rates(top, peer);
    draw_others(top, peer);
    if (rows < 2)
        return;
    y = draw_regions(top, peer, FIRST_ROW, rows / 2);
    draw_histogram(top, peer, y + 1, LINES - y - 3);
}
