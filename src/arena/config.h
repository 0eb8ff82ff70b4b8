/* SPDX-License-Identifier: MIT */
/*
 * The options, from the environment or from the command line: one reader for both.
 *
 * Values may be given as people write them: sizes with K, M, G, T and % (of the memory, or of the
 * free space of the file system, that is available). A store is PATH[:SIZE]; a backslash takes away
 * the meaning of a colon, a comma or a backslash in PATH. Paths become absolute.
 *
 * Errors are -errno, after one message that names option, value and remedy. No malloc, no stdio;
 * all of this may run before main(). Strings in the options are never freed.
 */
#ifndef USWAP_ARENA_CONFIG_H
#define USWAP_ARENA_CONFIG_H

#include "base/base.h"
#include "uswap/uswap.h"

/* The smallest budget. */
#define CONFIG_RAM_MIN (8 * MIB)

/* Mappings from this size on come from the engine when that is wanted and no size is said. */
#define CONFIG_MMAP_DEFAULT (256 * KIB)
#define CONFIG_MMAP_NONE    UINT64_MAX

/* What a new program could take (see available.h), and the budget that is used when none is given:
 * half of that, but not less than the smallest. */
uint64_t config_available_ram(void);
uint64_t config_default_ram(void);

/* The variable that names the process whose statistics USWAP_STATS wants, also after it executes
 * another program; the others in the tree pass USWAP_STATS over, unless it has a %p. Not set: any
 * process. */
#define CONFIG_STATS_PID "USWAP_STATS_PID"

/* The variable that says whether what the program executes runs under uswap, too: "yes" (also when
 * it is empty or not there) or "no". */
#define CONFIG_CHILDREN "USWAP_CHILDREN"

/* The variable that names the process which writes the trace to the very file of USWAP_TRACE, also
 * after it executes another program; all others write to FILE.PID. */
#define CONFIG_TRACE_PID "USWAP_TRACE_PID"

int config_read_children(const char *label, const char *text, bool *children) must_check;
int config_children_from_environment(char **environment, bool *children) must_check;

/* Set the options that USWAP_RAM and its like name and leave the others alone; an
 * empty value names none. environment: as envp of main(); NULL: empty. */
int config_from_environment(char **environment, struct uswap_options *options) must_check;

/* Read one value. label is what messages put before it: "--ram " or "USWAP_RAM=". */
int config_read_ram(const char *label, const char *text, struct uswap_options *options) must_check;
int config_read_share(const char *label, const char *text, uint64_t *share) must_check;
int config_read_pool(const char *label, const char *text, struct uswap_options *options) must_check;
int config_read_stats(const char *label, const char *text,
                      struct uswap_options *options) must_check;
int config_read_trace(const char *label, const char *text,
                      struct uswap_options *options) must_check;
int config_read_log(const char *label, const char *text, struct uswap_options *options) must_check;
/* auto, off, lz4 or zstd. */
int config_read_compress(const char *label, const char *text,
                         struct uswap_options *options) must_check;

/* yes, no, or the size from which on. */
int config_read_mmap(const char *label, const char *text, struct uswap_options *options) must_check;

/* Add one store, or stores separated by commas. */
int config_add_store(const char *label, const char *text, struct uswap_options *options) must_check;
int config_add_stores(const char *label, const char *text,
                      struct uswap_options *options) must_check;

/* Write the stores as config_add_stores() reads them. -ERANGE: they do not fit in size bytes. */
int config_write_stores(const struct uswap_options *options, char *buffer, size_t size) must_check;

#endif
