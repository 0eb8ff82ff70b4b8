/* SPDX-License-Identifier: MIT */
/*
 * The door of a file that has a name in shared memory: a lock on one byte of it, through which all
 * go who make the file, join what it is, leave it whole, or remove it. So these happen one at a
 * time, and what one finds behind the door is whole, or was left by somebody who died.
 *
 * The lock belongs to an open file description, and the kernel gives it back for who dies.
 */
#ifndef USWAP_BASE_DOOR_H
#define USWAP_BASE_DOOR_H

#include "base/base.h"

#include <fcntl.h>

/* How long somebody may stand in the door, who is stopped perhaps, until it is said, and until
 * waiting ends with -ETIMEDOUT. Tests make it shorter. */
extern uint32_t door_say_ms, door_patience_ms;

/* Wait until nobody else is in the door of the file. what and name say whose it is, in a message.
 * Not in a fault handler. */
int door_enter(int fd, const char *what, const char *name) must_check;
void door_leave(int fd);

/* Open the file that has the path as its name once we are in its door: whoever was there before may
 * have removed it, and made another. What goes wrong at opening is left to the caller to say. */
int door_open(const char *path, int flags, const char *what, const char *name) must_check;

#endif
