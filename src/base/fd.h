/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of ours in the program's table: out of the way of those that the program opens, and
 * known, so that a thread can have a table with these alone.
 */
#ifndef USWAP_BASE_FD_H
#define USWAP_BASE_FD_H

#include "base/base.h"

/* Move a descriptor to a high number, close-on-exec, and remember it. Returns the number; the old
 * one when there is no high number left. At start, one thread at a time. */
int fd_move_high(int fd);

/* Remember a descriptor that stays where and as it is. At start. */
void fd_keep(int fd);

/* A memory file, close-on-exec, with these flags of memfd_create() besides; not executable where
 * the kernel can tell. A low descriptor, or -errno. */
long fd_memory_file(const char *name, unsigned flags) must_check;

/* Give a file that has no name (O_TMPFILE) one. -EEXIST: something has it. */
int fd_give_name(int fd, const char *path) must_check;

/* Close and forget such a descriptor; -1 is passed over. */
void fd_close(int fd);

/* The first such descriptor from this number on; -1: none. Any thread, any time. */
int fd_next_ours(int from) must_check;

/* Give the calling thread a table of its own, with the remembered descriptors only. */
int fd_leave_program(void) must_check;

#endif
