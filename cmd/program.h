/* SPDX-License-Identifier: MIT */
/* What can be known of a program before it is started. */
#ifndef USWAP_CMD_PROGRAM_H
#define USWAP_CMD_PROGRAM_H

/* Why a program, named as for execvp(), will run without the preload library: a phrase that follows
 * its name; NULL: it will have it, or cannot be looked at. */
const char *program_unswapped(const char *name);

#endif
