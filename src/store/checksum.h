/* SPDX-License-Identifier: MIT */
/*
 * Checksums of pages: 64 bits of XXH3 with a secret that is drawn once per start, so that a page
 * cannot be made up to collide with another one. Any thread, also in a fault handler.
 */
#ifndef USWAP_STORE_CHECKSUM_H
#define USWAP_STORE_CHECKSUM_H

#include "base/base.h"

#define CHECKSUM_SECRET_SIZE 192

/* Draw the secret and choose the code for this processor. Once, before the first checksum. */
int checksum_start(void) must_check;

uint64_t checksum_page(const void *page);

/* The code of checksum_wide.c, for processors that have what checksum_start() looks for. */
uint64_t checksum_page_wide(const void *page, const uint8_t secret[CHECKSUM_SECRET_SIZE]);

#endif
