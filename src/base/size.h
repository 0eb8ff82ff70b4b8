/* SPDX-License-Identifier: MIT */
/* Sizes as people write them: 64M, 1.5G, 10%. */
#ifndef USWAP_BASE_SIZE_H
#define USWAP_BASE_SIZE_H

#include "base/base.h"

/*
 * Read all of text: decimal digits, an optional fraction, an optional unit K, M, G or T (powers of
 * 1024; lower case, a following "iB" or "B" accepted) or "%" of whole. -EINVAL: not a size;
 * -ERANGE: more than 2^63 - 1, or a percentage over 100.
 */
int size_parse(const char *text, uint64_t whole, uint64_t *size) must_check;

/* Write size for people, exact powers first: "64M", "1.5G", "123K". Returns buffer. */
const char *size_format(uint64_t size, char buffer[16]);

#endif
