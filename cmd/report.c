/* SPDX-License-Identifier: MIT */
/* uswap report: makes a page, or JSON, of a trace. */
#include "report.h"
#include "progress.h"

#include "base/msg.h"
#include "command.h"
#include "report_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
    const char *output;
    bool json;
};

static int read_output(const char *label, const char *value, void *target)
{
    ((struct request *)target)->output = value;
    return 0;
}

static int read_json(const char *label, const char *value, void *target)
{
    ((struct request *)target)->json = true;
    return 0;
}

static const struct option options[] = {
    {"--output", "FILE", "write there; default: standard output for JSON, else TRACE.html",
     read_output},
    {"-o", "FILE", "the same", read_output},
    {"--json", NULL, "write numbers for programs instead of a page", read_json},
    {0},
};

/* ---- The page ---- */

#define PAGE_MARK "/*DATA*/"

/* The template with the numbers in the place of its mark. */
static void write_page(const struct report *report, FILE *out)
{
    const char *mark = strstr(report_page, PAGE_MARK);

    fwrite(report_page, 1, (size_t)(mark - report_page), out);
    report_write_json(report, out);
    fputs(mark + strlen(PAGE_MARK), out);
}

static int analyse(struct report *report)
{
    struct pages pages;
    int error = pages_open(&pages, report->trace);

    report_sum(report);
    if (!error)
        report_heat(report, &pages);
    if (!error)
        error = report_regions(report, &pages);
    if (!error)
        error = report_reuse(report, &pages);
    if (!error)
        error = report_sites(report);
    pages_close(&pages);
    progress_clear();
    if (error)
        msg_error("report: not enough memory");
    return error;
}

/* ---- The command ---- */

/* TRACE.html, or what was asked for; "-": standard output. */
static FILE *open_output(const struct request *request, const char *trace, char *name, size_t size)
{
    FILE *out;

    if (request->output)
        snprintf(name, size, "%s", request->output);
    else if (request->json)
        snprintf(name, size, "-");
    else
        snprintf(name, size, "%s.html", trace);
    if (strcmp(name, "-") == 0)
        return stdout;
    out = fopen(name, "we");
    if (!out)
        msg_error("report: --output %s: cannot be written: %s", name, strerror(errno));
    return out;
}

static int write_output(const struct request *request, const struct report *report,
                        const char *trace)
{
    char name[4096];
    FILE *out = open_output(request, trace, name, sizeof(name));
    bool failed;

    if (!out)
        return EXIT_USAGE;
    if (request->json)
        report_write_json(report, out);
    else
        write_page(report, out);
    failed = ferror(out) || (out == stdout ? fflush(out) : fclose(out)) != 0;
    if (failed)
        msg_error("report: %s: cannot be written: %s", name, strerror(errno));
    else if (out != stdout)
        printf("%s\n", name);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void warn(const struct trace *trace, const char *path)
{
    if (*trace->warning)
        msg_warning("%s: %s", path, trace->warning);
    if (trace->lost)
        msg_warning("%s: %lu records were lost as they came too fast", path,
                    (unsigned long)trace->lost);
}

static int run_report(const struct command *command, char **arguments)
{
    static struct report report;
    struct request request = {0};
    struct trace trace;
    int status;

    if (!command_parse(command, arguments, &request, &arguments, &status))
        return status;
    if (!arguments[0] || arguments[1]) {
        msg_error("report: give the file of one trace; see uswap report --help");
        return EXIT_USAGE;
    }
    report.trace = &trace;
    status = EXIT_USAGE;
    if (!trace_load(arguments[0], &trace)) {
        warn(&trace, arguments[0]);
        status = analyse(&report) ? EXIT_FAILURE : write_output(&request, &report, arguments[0]);
    }
    progress_clear();
    trace_unload(&trace);
    return status;
}

const struct command command_report = {
    "report",
    "TRACE",
    "Make a page of a trace: what a program did with its memory",
    "\nA trace is made by uswap run --trace FILE. The page needs no network and no server: open "
    "it in a browser. Exit code 2: the file is not a trace. Of one that is damaged or cut off, "
    "what "
    "can be read is shown, after a warning.\n",
    options,
    run_report,
};
