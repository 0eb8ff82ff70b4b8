/* SPDX-License-Identifier: MIT */
/* Writes what was found as one JSON object, which is also what the page draws. */
#include "report.h"

#include <string.h>

static const char *const kind_names[TRACE_KINDS] = {
    [TRACE_NONE] = "none",
    [TRACE_FAULT_FRESH] = "fault_fresh",
    [TRACE_FAULT_MASKED] = "fault_masked",
    [TRACE_FAULT_READ] = "fault_read",
    [TRACE_FAULT_PACKED] = "fault_compressed",
    [TRACE_FAULT_PROTECTED] = "fault_protected",
    [TRACE_FAULT_OTHER] = "fault_other",
    [TRACE_AHEAD] = "ahead",
    [TRACE_MASK] = "mask",
    [TRACE_EVICT] = "evict",
    [TRACE_DROP] = "drop",
    [TRACE_DISCARD] = "discard",
    [TRACE_READ] = "read",
    [TRACE_WRITE] = "write",
    [TRACE_MAP] = "map",
    [TRACE_UNMAP] = "unmap",
    [TRACE_FORK] = "fork",
    [TRACE_BUDGET] = "budget",
    [TRACE_LEVELS] = "levels",
    [TRACE_PACKED] = "packed",
    [TRACE_OVERRUN] = "overrun",
    [TRACE_END] = "end",
};

static const char *const latency_names[LATENCY_KINDS] = {"read", "compressed", "masked", "fresh",
                                                         "other"};

/* A string that may stand in a script of a page, too: no "<". */
static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c == '<' || c == '>' || c == '&' || c > 126)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void write_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\n\"%s\": ", name);
    write_string(out, text);
}

static void write_number(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ",\n\"%s\": %lu", name, (unsigned long)value);
}

static void write_trace(const struct report *report, FILE *out)
{
    const struct trace *trace = report->trace;

    fprintf(out, "{\n\"format\": 1");
    write_text(out, "command", trace->header.command);
    write_number(out, "pid", (uint64_t)trace->header.pid);
    write_number(out, "parent", (uint64_t)trace->header.parent);
    write_number(out, "began_ns", trace->header.began);
    write_number(out, "duration_ns", trace->duration);
    write_number(out, "budget_bytes", trace->header.budget);
    write_number(out, "page_bytes", PAGE_SIZE);
    write_number(out, "records", trace->count);
    write_number(out, "lost_records", trace->lost);
    write_text(out, "warning", trace->warning);
    fprintf(out, ",\n\"ended\": %s", trace->ended ? "true" : "false");
    write_number(out, "threads", report->threads);
    write_number(out, "faults_by_calls", report->by_call);
    write_number(out, "compressed_peak_bytes", report->packed_peak * PAGE_SIZE);
    write_number(out, "demand_peak_bytes", report->demand_peak * PAGE_SIZE);
}

static void write_kinds(const struct report *report, FILE *out)
{
    fprintf(out, ",\n\"events\": {");
    for (unsigned i = 1; i < TRACE_KINDS; i++)
        fprintf(out, "%s\"%s\": {\"count\": %lu, \"pages\": %lu}", i > 1 ? ", " : "", kind_names[i],
                (unsigned long)report->kinds[i], (unsigned long)report->pages[i]);
    fprintf(out, "},\n\"io_ns\": {\"read\": %lu, \"write\": %lu}",
            (unsigned long)report->io_time[0], (unsigned long)report->io_time[1]);
}

static void write_levels(const struct report *report, FILE *out)
{
    fprintf(out, ",\n\"levels_fields\": [\"resident\", \"masked\", \"swapped\", \"budget\", "
                 "\"compressed_ram\", \"compressed\"],\n"
                 "\"levels\": [");
    for (unsigned i = 0; i < REPORT_COLUMNS; i++) {
        const struct level *level = &report->levels[i];
        fprintf(out, "%s[%u,%u,%u,%u,%u,%u]", i ? "," : "", level->resident, level->masked,
                level->swapped, level->budget, level->packed_memory, level->packed_content);
    }
    fprintf(out, "]");
}

static void write_latencies(const struct report *report, FILE *out)
{
    fprintf(out, ",\n\"latency_edges_ns\": [");
    for (unsigned i = 0; i < REPORT_LATENCIES; i++)
        fprintf(out, "%s%lu", i ? "," : "", (unsigned long)report_latency_edge(i));
    fprintf(out, "],\n\"latency\": {");
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
        fprintf(out, "%s\n\"%s\": {\"time_ns\": %lu, \"counts\": [", kind ? "," : "",
                latency_names[kind], (unsigned long)report->fault_time[kind]);
        for (unsigned i = 0; i < REPORT_LATENCIES; i++)
            fprintf(out, "%s%lu", i ? "," : "", (unsigned long)report->latency[kind][i]);
        fprintf(out, "]}");
    }
    fprintf(out, "}");
}

static void write_heat(const struct report *report, FILE *out, const char *name,
                       const uint32_t heat[][REPORT_COLUMNS])
{
    fprintf(out, ",\n\"%s\": [", name);
    for (unsigned row = 0; row < report->rows; row++) {
        fprintf(out, "%s[", row ? ",\n" : "");
        for (unsigned i = 0; i < REPORT_COLUMNS; i++)
            fprintf(out, "%s%u", i ? "," : "", heat[row][i]);
        fprintf(out, "]");
    }
    fprintf(out, "]");
}

static void write_heats(const struct report *report, FILE *out)
{
    fprintf(out, ",\n\"heat_addresses\": [");
    for (unsigned row = 0; row < report->rows; row++)
        fprintf(out, "%s\"%#lx\"", row ? "," : "", (unsigned long)report->row_address[row]);
    fprintf(out, "]");
    write_heat(report, out, "heat_reads", report->reads);
    write_heat(report, out, "heat_seen", report->seen);
}

static void write_regions(const struct report *report, FILE *out)
{
    write_number(out, "regions_total", report->regions_total);
    fprintf(out, ",\n\"regions\": [");
    for (unsigned i = 0; i < report->region_count; i++) {
        const struct region_sum *region = &report->regions[i];
        fprintf(out, "%s\n{\"address\": \"%#lx\"", i ? "," : "", (unsigned long)region->address);
        write_text(out, "name", region->name);
        write_number(out, "size", region->size);
        write_number(out, "object_size", region->object_size);
        write_number(out, "faults_read", region->reads);
        write_number(out, "faults_compressed", region->packed);
        write_number(out, "faults_touched", region->touches);
        write_number(out, "faults_fresh", region->fresh);
        write_number(out, "ahead_pages", region->ahead);
        write_number(out, "left_pages", region->left);
        write_number(out, "fault_ns", region->time);
        fprintf(out, "}");
    }
    fprintf(out,
            "],\n\"read_ahead\": {\"pages\": %lu, \"compressed\": %lu, \"passed\": %lu, "
            "\"touched\": %lu, \"unseen\": %lu}",
            (unsigned long)report->ahead_pages, (unsigned long)report->ahead_packed,
            (unsigned long)report->ahead_passed, (unsigned long)report->ahead_touched,
            (unsigned long)report->ahead_unseen);
}

static void write_reuse(const struct report *report, FILE *out)
{
    write_number(out, "accesses_pages", report->accesses);
    fprintf(out, ",\n\"accesses_sampled\": %.4f", report->sampled);
    write_number(out, "recommended_bytes", report->recommended);
    write_number(out, "recommended_misses", report->recommended_misses);
    write_number(out, "needed_bytes", report->needed);
    fprintf(out, ",\n\"curve_fields\": [\"bytes\", \"misses\"],\n\"curve\": [");
    for (unsigned i = 0; i < report->curve_count; i++)
        fprintf(out, "%s[%lu,%lu]", i ? "," : "", (unsigned long)report->curve[i].bytes,
                (unsigned long)report->curve[i].misses);
    fprintf(out, "]");
}

static void write_sites(const struct report *report, FILE *out)
{
    write_number(out, "stacks", report->stacks);
    write_number(out, "sites_total", report->sites_total);
    write_text(out, "symbols", report->symbols ? report->symbols : "");
    fprintf(out, ",\n\"sites\": [");
    for (unsigned i = 0; i < report->site_count; i++) {
        const struct site *site = &report->sites[i];
        fprintf(out, "%s\n{\"samples\": %lu", i ? "," : "", (unsigned long)site->samples);
        write_text(out, "function", site->function);
        write_text(out, "place", site->place);
        write_text(out, "through", site->through);
        write_number(out, "reads", site->reads);
        write_number(out, "time_ns", site->time);
        fprintf(out, "}");
    }
    fprintf(out, "]");
}

void report_write_json(const struct report *report, FILE *out)
{
    write_trace(report, out);
    write_kinds(report, out);
    write_levels(report, out);
    write_latencies(report, out);
    write_heats(report, out);
    write_reuse(report, out);
    write_regions(report, out);
    write_sites(report, out);
    fprintf(out, "\n}\n");
}
