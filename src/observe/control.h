/* SPDX-License-Identifier: MIT */
/*
 * How others ask this process for something: one page of shared memory beside the status page, and
 * the only one that they may write. Whoever may open it (the owner and root) asks; nothing in it is
 * trusted: what is asked for is checked as a call of the API is.
 *
 * One asks at a time: who has the lease, which ends by itself, so that nobody who died keeps it.
 *
 *     asker    lease := now + CONTROL_LEASE_NS      (compare-and-swap, from one that has ended)
 *              argument; kind; asked += 1, wake     (kind is the token of the request)
 *     process  kind -> CONTROL_NONE (exchange)      taken: not to be withdrawn any more
 *              begun := asked; ...; result; answered := asked, wake
 *     asker    reads the result, lease := 0; or takes kind back itself: withdrawn
 */
#ifndef USWAP_OBSERVE_CONTROL_H
#define USWAP_OBSERVE_CONTROL_H

#include "base/base.h"

#include <stdatomic.h>

#define CONTROL_NAME     "uswap-control"
#define CONTROL_MAGIC    UINT64_C(0x6c6f72746e6f6375) /* "ucontrol" */
#define CONTROL_VERSION  1
#define CONTROL_LEASE_NS UINT64_C(60000000000)

enum control_kind {
    CONTROL_NONE,
    CONTROL_BUDGET,  /* argument: bytes; result: 0 or -errno of uswap_set_budget() */
    CONTROL_REFRESH, /* copies and regions on the status page; result: 0 */
};

struct control {
    uint64_t magic; /* written last */
    uint32_t version;
    _Atomic uint32_t asked; /* futex */
    _Atomic uint32_t begun;
    _Atomic uint32_t answered; /* futex */
    _Atomic uint32_t kind;
    _Atomic int32_t result;
    _Atomic uint64_t argument;
    _Atomic uint64_t lease;
    /* CLOCK_MONOTONIC, ns: until then the parts of faults are timed. */
    _Atomic uint64_t parts_until;
} __attribute__((aligned(PAGE_SIZE)));

extern struct control control_page __attribute__((visibility("hidden")));

/* Make the page. After status_start(); in a child of fork after status_fork_child(). */
void control_start(void);

/* Whether something is asked for. */
static inline bool control_pending(void)
{
    return atomic_load_explicit(&control_page.kind, memory_order_relaxed) != CONTROL_NONE;
}

#endif
