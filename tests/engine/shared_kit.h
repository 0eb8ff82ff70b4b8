/* SPDX-License-Identifier: MIT */
/* What the tests of shared regions share: a region with a name of its own, and processes. */
#ifndef USWAP_TESTS_SHARED_KIT_H
#define USWAP_TESTS_SHARED_KIT_H

#include "engine_test.h"

#define SHARED_RAM  (8 * MIB)
#define SHARED_SIZE (4 * SHARED_RAM)

/* The name of this case's region: what has it is found by the kit when the case has ended. */
const char *region_name(void);

/* Make it: its store is in the directory of the case. */
void make_region(uint64_t size, uint64_t ram, uint64_t object_size);
struct uswap_shared_options region_options(uint64_t size, uint64_t ram);

/* Start the engine, if it has not been. */
void start_once(void);

/* The same, and attach the region; where it is. */
void *join_region(unsigned flags);

/* Bytes of it that are resident, as the file system says. */
uint64_t region_resident(void);

/* Remove it, and see that nothing is left of it. */
void remove_region(void);

/* Start processes that run body(number) and end; wait for one, for its status as a shell has it. */
pid_t start_child(void (*body)(unsigned number), unsigned number);
int wait_for_child(pid_t child);
/* Kill one, which must not have ended; or stop it for a while. */
void kill_child(pid_t child);
void stop_child(pid_t child, uint64_t us);
void nap_us(uint64_t us);
/* So many processes at once, all of which end with 0. */
void run_together(unsigned count, void (*body)(unsigned number));

/* How long to soak: USWAP_SOAK, or else half a minute. */
double soak_seconds(void);

/* Memory of the test's own processes, plainly shared. */
void *plain_memory(size_t size);

#endif
