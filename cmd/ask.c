/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include "base/clock.h"
#include "base/fmt.h"
#include "base/lock.h"
#include "base/size.h"

#include <errno.h>
#include <sys/mman.h>

/* How often a waiting asker looks whether the process still lives. */
#define LOOK_NS   UINT64_C(50000000)
#define NS_PER_MS UINT64_C(1000000)

/* Become the one who asks. */
static bool take_lease(struct control *page)
{
    uint64_t now = clock_now_ns();
    uint64_t lease = atomic_load(&page->lease);

    return lease < now &&
           atomic_compare_exchange_strong(&page->lease, &lease, now + CONTROL_LEASE_NS);
}

/* Take the request back; false: the process has begun with it. */
static bool withdraw(struct control *page, uint32_t kind)
{
    return atomic_compare_exchange_strong(&page->kind, &kind, CONTROL_NONE);
}

static uint32_t put_request(struct control *page, uint32_t kind, uint64_t argument)
{
    uint32_t number = atomic_fetch_add(&page->asked, 1) + 1;

    atomic_store(&page->argument, argument);
    atomic_store(&page->kind, kind);
    futex_wake_all_shared(&page->kind);
    return number;
}

/* Why there is no answer in time. */
static enum ask_outcome give_up(const struct peer *peer, struct control *page, uint32_t kind,
                                bool *keep_lease)
{
    char state = peer_state(peer);

    if (!state)
        return ASK_ENDED;
    if (!peer->now->control_thread && state != 'T' && state != 't')
        return ASK_LATER;
    if (!withdraw(page, kind)) {
        *keep_lease = true;
        return ASK_WORKING;
    }
    return state == 'T' || state == 't' ? ASK_STOPPED : ASK_SILENT;
}

static bool makes_progress(const struct peer *peer, uint64_t *resident)
{
    uint64_t before = *resident;

    *resident = peer_resident_now(peer);
    return *resident < before;
}

/* Wait for the answer. The time begins anew while memory is given up. */
static bool wait_for_answer(const struct peer *peer, struct control *page, uint32_t number,
                            unsigned ms)
{
    uint64_t end = clock_now_ns() + ms * NS_PER_MS;
    uint64_t resident = UINT64_MAX;

    for (;;) {
        uint32_t answered = atomic_load(&page->answered);
        uint64_t now = clock_now_ns();

        if (answered == number)
            return true;
        if (!peer_state(peer))
            return false;
        if (makes_progress(peer, &resident) && atomic_load(&page->begun) == number)
            end = now + ms * NS_PER_MS;
        if (now >= end)
            return false;
        futex_wait_shared(&page->answered, answered, min_u64(LOOK_NS, end - now));
    }
}

enum ask_outcome ask(const struct peer *peer, enum control_kind kind, uint64_t argument,
                     unsigned ms, int *result)
{
    struct control *page = peer_control(peer);
    enum ask_outcome outcome = ASK_DONE;
    bool keep_lease = false;
    uint32_t number;

    if (!page)
        return peer_state(peer) ? ASK_FORBIDDEN : ASK_ENDED;
    if (!take_lease(page)) {
        munmap(page, sizeof(*page));
        return ASK_BUSY;
    }
    number = put_request(page, kind, argument);
    if (wait_for_answer(peer, page, number, ms))
        *result = atomic_load(&page->result);
    else
        outcome = give_up(peer, page, kind, &keep_lease);
    if (!keep_lease)
        atomic_store(&page->lease, 0);
    munmap(page, sizeof(*page));
    return outcome;
}

const char *ask_describe(enum ask_outcome outcome)
{
    switch (outcome) {
    case ASK_DONE:
        return "done";
    case ASK_LATER:
        return "idle and small: it obeys at its next page fault";
    case ASK_STOPPED:
        return "the process is stopped; nothing was changed";
    case ASK_SILENT:
        return "the process does not answer; nothing was changed";
    case ASK_WORKING:
        return "the process is still busy with it";
    case ASK_ENDED:
        return "the process has ended";
    case ASK_BUSY:
        return "somebody else is asking it for something; try again";
    case ASK_FORBIDDEN:
        break;
    }
    return "the process belongs to somebody else; only its owner and root may change it";
}

bool ask_for_parts(const struct peer *peer, uint64_t ns)
{
    struct control *page = peer_control(peer);

    if (!page)
        return false;
    atomic_store(&page->parts_until, clock_now_ns() + ns);
    munmap(page, sizeof(*page));
    return true;
}

static const char *explain_budget(int error)
{
    switch (error) {
    case -EINVAL:
        return "less than 8M, or than twice what is pinned";
    case -ENOMEM:
        return "what the program was promised would not fit any more";
    case -EBUSY:
        return "not enough memory can leave";
    default:
        return "refused";
    }
}

bool ask_for_budget(const struct peer *peer, uint64_t ram, unsigned ms, char *text, size_t size)
{
    char label[16];
    int result = 0;
    enum ask_outcome outcome = ask(peer, CONTROL_BUDGET, ram, ms, &result);

    if (outcome != ASK_DONE)
        fmt_write(text, size, "%s", ask_describe(outcome));
    else if (result)
        fmt_write(text, size, "%s: %s; the budget is as before", size_format(ram, label),
                  explain_budget(result));
    else
        fmt_write(text, size, "the budget is %s", size_format(ram, label));
    return (outcome == ASK_DONE && !result) || outcome == ASK_LATER;
}
