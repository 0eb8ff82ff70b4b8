/* SPDX-License-Identifier: MIT */
/* What the small programs share: their options, and the choice of cases, each of which prints one
 * line of JSON. */
#ifndef USWAP_BENCH_CASES_H
#define USWAP_BENCH_CASES_H

#include <stddef.h>
#include <stdint.h>

struct options {
    uint64_t size; /* bytes that the set of memory is to have, about */
    double seconds;
    uint64_t seed;
    const char *socket; /* of a server; NULL: none */
    const char *list;
};

struct named_case {
    const char *name;
    void (*run)(const char *name);
};

extern struct options options;

/* Reads the options and runs the cases that --cases names, in its order. All is checked before
 * anything runs: a wrong word is one message and exit code 2. */
void cases_main(int argc, char **argv, const struct named_case *cases, size_t count);

#endif
