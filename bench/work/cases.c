/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include "base/size.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_LEAST (4 * MIB)

struct options options = {.size = GIB, .seconds = 4, .seed = 1, .list = ""};

static _Noreturn void usage(const char *program, const struct named_case *cases, size_t count)
{
    fprintf(stderr,
            "usage: %s --cases NAME,... [--size SIZE] [--seconds S] [--seed N] [--socket PATH]\n"
            "cases:",
            program);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static bool read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"size", required_argument, NULL, 's'},    {"cases", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 'e'},
        {"socket", required_argument, NULL, 'k'},  {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 's' && size_parse(optarg, 0, &options.size))
            return false;
        if (c == 'c')
            options.list = optarg;
        else if (c == 't')
            options.seconds = strtod(optarg, NULL);
        else if (c == 'e')
            options.seed = strtoull(optarg, NULL, 0);
        else if (c == 'k')
            options.socket = optarg;
        else if (c == '?')
            return false;
    }
    return optind == argc && options.seconds > 0 && options.size >= SIZE_LEAST && *options.list;
}

static const struct named_case *find(const struct named_case *cases, size_t count, const char *name,
                                     size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(cases[i].name) == length && strncmp(cases[i].name, name, length) == 0)
            return &cases[i];
    return NULL;
}

void cases_main(int argc, char **argv, const struct named_case *cases, size_t count)
{
    bool right = read_options(argc, argv);

    for (int run = 0; run < 2 && right; run++)
        for (const char *name = options.list; *name && right;) {
            size_t length = strcspn(name, ",");
            const struct named_case *chosen = find(cases, count, name, length);

            right = chosen != NULL;
            if (chosen && run)
                chosen->run(chosen->name);
            name += length + (name[length] == ',');
        }
    if (!right)
        usage(argv[0], cases, count);
}
