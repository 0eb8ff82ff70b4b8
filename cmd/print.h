/* SPDX-License-Identifier: MIT */
/* How the commands that look at processes print what they found. */
#ifndef USWAP_CMD_PRINT_H
#define USWAP_CMD_PRINT_H

#include "peer.h"

/* A string with quotes, for JSON. */
void print_json_string(const char *text);

/* One process as a JSON object: what its page says, and rates. */
void print_json_peer(const struct peer *peer);

/* Several processes together, as peer_sum() has them. */
void print_json_sum(const struct peer *sum, const char *pool, unsigned processes);

/* The parts of its faults: a table, and a JSON object. */
void print_parts(const struct peer *peer);
void print_json_parts(const struct peer *peer);

extern const char *const print_part_names[PART_COUNT];

#endif
