/* SPDX-License-Identifier: MIT */
/* Removing regions, whole ones and what is left of others. */
#ifndef USWAP_SHARED_REMOVE_H
#define USWAP_SHARED_REMOVE_H

#include "shared/region.h"

/* The file (in its door) is no region any more, or not yet: whoever made or removed it has died.
 * The store that it may have made goes. */
void remove_half_store(const char *name, int fd);

#endif
