/* SPDX-License-Identifier: MIT */
/*
 * What is in the pages: every word follows from a number, the tag, so that it can be checked. The
 * kinds differ in how well they compress:
 *
 * random   not at all
 * typical  as a recorded heap does (suite/heap.py): its pages, each with a word of its own in every
 * 64 high     20 to 1: short numbers that repeat, each page with a word of its own in every 128
 */
#ifndef USWAP_BENCH_CONTENT_H
#define USWAP_BENCH_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_WORDS 512 /* of a page */

/* By name; "typical" needs the file of the corpus. False: no such kind. */
bool content_choose(const char *name, const char *corpus);

void content_write(uint64_t words[CONTENT_WORDS], uint64_t tag);

/* Compares the whole page. */
bool content_is(const uint64_t words[CONTENT_WORDS], uint64_t tag);

#endif
