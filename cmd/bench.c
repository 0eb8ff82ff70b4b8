/* SPDX-License-Identifier: MIT */
/*
 * uswap bench: becomes the suite, which is written in Python. The table has its options, for help
 * and completion; it reads the values itself (bench/suite/options.py).
 */
#include "base/base.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 64

/* What the suite gets: python3 -B SUITE [--name value]... NULL */
struct request {
    const char *words[WORDS_MAX];
    unsigned count;
};

static int add(struct request *request, const char *word)
{
    if (request->count == WORDS_MAX - 1) {
        msg_error("bench: more than %u options", WORDS_MAX / 2);
        return -E2BIG;
    }
    request->words[request->count++] = word;
    return 0;
}

static int pass(const char *label, const char *value, void *target);
static int pass_list(const char *label, const char *value, void *target);

static const struct option options[] = {
    {"--list", NULL, "show the workloads by name, and which are measured by default", pass_list},
    {"--only", "NAMES", "measure these; *, ? as in file names; default, all; separated by commas",
     pass},
    {"--rivals", "NAMES",
     "of uswap, uswap-api, kernel, zram, zswap, zram-beside, zswap-beside, mmap, none, device; "
     "uswap:--option=value is uswap "
     "with that option",
     pass},
    {"--size", "SIZE", "the set of memory; default: 512M", pass},
    {"--ram", "SIZE", "the limit; default: the part of the set that the workload names, or 1/4",
     pass},
    {"--rounds", "N", "how often each rival runs; default: 3", pass},
    {"--seconds", "S", "how long a case is measured; default: 1", pass},
    {"--swap", "PATH", "the directory where all swap files lie; default: /var/tmp", pass},
    {"--json", "FILE", "write all measurements there", pass},
    {"--svg", "PATH", "write plots into this directory", pass},
    {0},
};

static int pass_list(const char *label, const char *value, void *target)
{
    return add(target, "--list");
}

/* The label has a blank behind the name. */
static int pass(const char *label, const char *value, void *target)
{
    for (const struct option *option = options; option->name; option++)
        if (strncmp(label, option->name, strlen(label) - 1) == 0 &&
            strlen(option->name) == strlen(label) - 1)
            return add(target, option->name) ? -E2BIG : add(target, value);
    return -EINVAL;
}

/* ---- where things are ---- */

/* The suite and its programs lie in bench/ next to this program in the build directory, or in the
 * libexec directory of the same installation, wherever that was moved to. */
static const char *const places[] = {"bench", "../" USWAP_LIBEXECDIR "/uswap/bench"};

static char program[PATH_MAX], directory[PATH_MAX], suite[PATH_MAX + 16];

static bool find_suite(void)
{
    if (!command_own_path(program))
        return false;
    for (size_t i = 0; i < array_size(places); i++) {
        if (!command_find_beside(places[i], directory))
            continue;
        fmt_write(suite, sizeof(suite), "%s/suite", directory);
        if (access(suite, X_OK) == 0)
            return true;
    }
    return false;
}

static int run_bench(const struct command *command, char **arguments)
{
    struct request request = {
        .words = {"python3", "-B", suite, "--uswap", program, "--programs", directory}, .count = 7};
    int status;

    if (!command_parse(command, arguments, &request, &arguments, &status))
        return status;
    if (!command_no_operands(command, arguments))
        return EXIT_USAGE;
    if (!find_suite()) {
        msg_error("bench: the suite is neither in bench/ next to this program nor in ../%s; "
                  "install it there",
                  USWAP_LIBEXECDIR "/uswap/bench");
        return EXIT_USAGE;
    }
    execvp("python3", (char **)request.words);
    msg_error("bench: python3 cannot be run: %s; install it", strerror(errno));
    return EXIT_USAGE;
}

const struct command command_bench = {
    "bench",
    "",
    "Measure uswap beside kernel swap, zram, zswap and mapped files",
    "\nEach workload runs under every rival with the same limit of memory, on the same disk, in "
    "turns. What this machine does not allow is skipped, and said; kernel swap, zram and zswap "
    "need root. Nothing is left behind. Exit code 1: something failed, or nothing was measured.\n",
    options,
    run_bench,
};
