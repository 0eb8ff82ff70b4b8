/* SPDX-License-Identifier: MIT */
/*
 * Who is asked to give way when a pool of processes is full: a choice from what the members say
 * about themselves in the pool file. Nothing is changed here.
 */
#ifndef USWAP_OBJECT_ASKED_H
#define USWAP_OBJECT_ASKED_H

#include "object/pool_file.h"

/* So long may something be wanted of a member without any progress, until it is passed over. */
#define ASKED_PATIENCE_MS 10

/* The member whose memory should go to this one; POOL_MEMBERS: nobody's. */
unsigned asked_find(const struct pool_file *file, unsigned own);

/* Pages that each would hold if all held the same; and whether a member holds no more than that. */
uint32_t asked_even_part(const struct pool_file *file);
bool asked_is_modest(const struct pool_file *file, unsigned member);

/* Something has been wanted of it for too long. */
bool asked_is_silent(const struct pool_member *member);

/* How many epochs ago what leaves it next was last known to be used. */
uint32_t asked_age(const struct pool_file *file, const struct pool_member *member);

/* Epochs in which as much comes into memory as the pool holds. */
uint32_t asked_fill(const struct pool_file *file);

/* Of so many sampled objects so many were touched, while so many epochs went by: whether they are
 * used as often, at least, as the pool is filled anew. */
bool asked_in_use(const struct pool_file *file, uint32_t sampled, uint32_t touched,
                  uint32_t epochs);

#endif
