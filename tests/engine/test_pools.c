/* SPDX-License-Identifier: MIT */
/*
 * A budget that processes share, under everything at once: 2, 4 and 16 members at work, at random,
 * in order or both, that are killed, stopped, replaced and that fork, while the pool is resized.
 *
 * Each page of a member's own memory holds who wrote it and how often; it knows these in memory
 * that is not swapped. When all are gone nothing is held of the pool, and no place in it is taken.
 *
 * USWAP_SOAK: seconds, a third of them for each number of members.
 */
#include "shared_kit.h"

#include "arena/join.h"
#include "base/door.h"
#include "base/owned.h"
#include "object/sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POOL_RAM   (24 * MIB)
#define POOL_LEAST (14 * MIB)
#define SHARE      (256 * KIB)
#define MANY       16
#define ALL_PAGES  (3 * POOL_RAM / PAGE_SIZE) /* of all members together */
#define WORDS      (PAGE_SIZE / sizeof(uint64_t))
#define FORK_STEP  3000 /* about so many steps between two forks */

static struct {
    unsigned members;
    char path[JOIN_TEXT_MAX];
    int fd;
    struct pool_file *file;
    _Atomic uint64_t *steps, *evicted, *forks; /* of all */
} plan;

/* ---- The pool ---- */

static pid_t first; /* the process of the case */

static void forget_pool(void)
{
    if (getpid() == first)
        unlink(plan.path);
}

static void make_pool(void)
{
    const char *reason;

    first = getpid();
    snprintf(plan.path, sizeof(plan.path), OWNED_FOLDER JOIN_PREFIX "%u-%s", geteuid(),
             region_name());
    plan.fd = open(plan.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    expect(plan.fd >= 0);
    atexit(forget_pool);
    expect(pool_file_make(plan.fd, POOL_RAM, SHARE) == 0);
    expect(pool_file_map(plan.fd, &plan.file, &reason) == 0);
    plan.steps = plain_memory(PAGE_SIZE);
    plan.evicted = plan.steps + 1;
    plan.forks = plan.steps + 2;
}

static int start_member(void)
{
    struct uswap_options options = engine_options(0, 4 * ALL_PAGES * PAGE_SIZE / plan.members);

    options.pool = region_name();
    return uswap_start(&options);
}

static unsigned places_taken(void)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < atomic_load(&plan.file->count); i++)
        taken += (atomic_load(&plan.file->members[i].state) & POOL_PLACE_MASK) != POOL_FREE;
    return taken;
}

/* The last of them has died just now. */
static void expect_nothing_held(void)
{
    for (unsigned look = 0; look < 100 && (look == 0 || places_taken()); look++) {
        nap_us(look ? 10000 : 0);
        sharing_reap_file(plan.file, plan.fd);
    }
    expect(places_taken() == 0, "%u", places_taken());
    expect(ledger_total(&plan.file->pages) == 0, "%lu", ledger_total(&plan.file->pages));
    expect(ledger_total(&plan.file->promises) == 0, "%lu", ledger_total(&plan.file->promises));
    for (unsigned i = 0; i < atomic_load(&plan.file->count); i++)
        expect(ledger_held(&plan.file->pages, i) == 0 && ledger_held(&plan.file->promises, i) == 0);
}

/* ---- A member ---- */

struct member {
    uint64_t tag, state;
    uint64_t *words;
    uint32_t *counters; /* of each page */
    uint64_t pages, page;
    bool in_order;
};

static uint64_t value(const struct member *member, uint64_t page)
{
    return member->tag << 40 | page << 24 | (member->counters[page] & 0xffffff);
}

/* The page's words: the first, the last, and one that differs from page to page. */
static uint64_t *word_of(const struct member *member, uint64_t page, unsigned which)
{
    const uint64_t places[] = {0, 1 + page * 61 % (WORDS - 2), WORDS - 1};

    return member->words + page * WORDS + places[which];
}

static void check_page(const struct member *member, uint64_t page)
{
    uint64_t expected = member->counters[page] ? value(member, page) : 0;

    for (unsigned i = 0; i < 3; i++)
        expect(*word_of(member, page, i) == expected, "page %lu word %u: %lx, not %lx", page, i,
               *word_of(member, page, i), expected);
}

static void step(struct member *member)
{
    uint64_t page = member->in_order ? member->page + 1 : engine_below(&member->state, UINT32_MAX);

    member->page = page % member->pages;
    check_page(member, member->page);
    if (engine_below(&member->state, 3) == 0)
        return;
    member->counters[member->page]++;
    for (unsigned i = 0; i < 3; i++)
        *word_of(member, member->page, i) = value(member, member->page);
}

/* It has all that its parent had, changes some of it, and ends. */
static _Noreturn void be_child(struct member *member)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < 500; i++)
        step(member);
    for (uint64_t page = 0; page < member->pages; page += 7)
        check_page(member, page);
    _exit(0);
}

/* -EAGAIN: it has been cut off by a kill of the parent, or there is no place or no promise left. */
static void fork_once(struct member *member)
{
    pid_t child = fork();

    if (child == 0)
        be_child(member);
    if (child < 0) {
        expect(errno == EAGAIN || errno == ENOMEM, "%d", errno);
        return;
    }
    atomic_fetch_add(plan.forks, 1);
    expect(wait_for_child(child) == 0);
}

static void prepare(struct member *member, unsigned number)
{
    uint64_t pages = ALL_PAGES / plan.members;
    int error = start_member();

    expect(error == 0, "%d", error);
    *member = (struct member){
        .tag = (uint64_t)getpid() & 0xffffff,
        .state = engine_seed() + number + (uint64_t)getpid() * 1000,
        .words = engine_map(pages * PAGE_SIZE, number % 4 == 3 ? 4 * PAGE_SIZE : 0),
        .counters = calloc(pages, sizeof(uint32_t)),
        .pages = pages,
    };
    expect(member->counters);
}

static void work(unsigned number)
{
    struct member member;

    prepare(&member, number);
    for (uint64_t evicted = 0, now;; evicted = now) {
        member.in_order = number % 3 == 1 || (number % 3 == 2 && engine_below(&member.state, 2));
        for (unsigned i = 0; i < 200; i++)
            step(&member);
        atomic_fetch_add(plan.steps, 200);
        now = engine_stats().objects_evicted;
        atomic_fetch_add(plan.evicted, now - evicted);
        if (engine_below(&member.state, FORK_STEP / 200) == 0)
            fork_once(&member);
    }
}

/* ---- What happens to them ---- */

/* -EBUSY: they could not do with so little in that time. */
static void resize(uint64_t ram)
{
    int error = sharing_resize(plan.file, plan.fd, ram, 300);

    expect(error == 0 || error == -EBUSY, "%d", error);
}

static void disturb(pid_t *children, uint64_t *state, unsigned *kills)
{
    unsigned victim = (unsigned)engine_below(state, plan.members);

    switch (engine_below(state, 4)) {
    case 0:
        stop_child(children[victim], engine_below(state, 100000));
        break;
    case 1:
        resize(POOL_LEAST + engine_below(state, POOL_RAM - POOL_LEAST));
        break;
    default:
        kill_child(children[victim]);
        children[victim] = start_child(work, victim);
        ++*kills;
    }
    nap_us(engine_below(state, 80000));
}

static bool has_seen_enough(uint64_t steps, uint64_t evicted, unsigned kills)
{
    return kills >= 2 && atomic_load(plan.forks) && atomic_load(plan.steps) > steps + 1000 &&
           atomic_load(plan.evicted) > evicted + 1000;
}

/* At least so long, and until there was some of everything. */
static void soak(unsigned members, double seconds, uint64_t *state)
{
    uint64_t steps = atomic_load(plan.steps), evicted = atomic_load(plan.evicted);
    time_t end = time(NULL) + (time_t)seconds;
    pid_t children[MANY];
    unsigned kills = 0;

    plan.members = members;
    for (unsigned i = 0; i < members; i++)
        children[i] = start_child(work, i);
    while (time(NULL) < end || !has_seen_enough(steps, evicted, kills))
        disturb(children, state, &kills);
    for (unsigned i = 0; i < members; i++)
        kill_child(children[i]);
    printf("%u members: %lu steps, %lu objects evicted, %u killed, %lu forks in all\n", members,
           atomic_load(plan.steps) - steps, atomic_load(plan.evicted) - evicted, kills,
           atomic_load(plan.forks));
    expect_nothing_held();
}

static void everything_at_once(uint64_t unused)
{
    uint64_t state = engine_seed();
    double third = soak_seconds() / 3;

    make_pool();
    soak(2, third, &state);
    soak(4, third, &state);
    soak(MANY, third, &state);
}

/* ---- All but one are stopped ---- */

#define FEW 200 /* pages */

static void fill_the_pool(unsigned unused)
{
    uint64_t state = engine_seed();
    char *memory;

    expect(start_member() == 0);
    memory = engine_map(2 * POOL_RAM, 0);
    for (;;) {
        memory[engine_below(&state, 2 * POOL_RAM)]++;
        atomic_fetch_add(plan.steps, 1);
    }
}

/* Not even its tables fit beside what the others hold; it waits two seconds for them, but not for
 * ever, and when they go on the pool is what it was. */
static void a_newcomer_goes_on_while_all_others_are_stopped(uint64_t unused)
{
    uint64_t limit = POOL_RAM / PAGE_SIZE;
    pid_t child;
    char *memory;

    plan.members = 1;
    make_pool();
    child = start_child(fill_the_pool, 0);
    while (ledger_free(&plan.file->pages) > 256 || atomic_load(plan.steps) < 8000)
        nap_us(10000);
    kill(child, SIGSTOP);
    engine_keep_messages();
    expect(start_member() == 0);
    memory = engine_map(FEW * PAGE_SIZE, 0);
    engine_fill(memory, FEW * PAGE_SIZE, 1);
    engine_verify(memory, FEW * PAGE_SIZE, 1);
    expect(engine_said("no other member of the pool gives memory up", "exceeded by the least"));
    expect(ledger_total(&plan.file->pages) < limit + FEW + 512, "%lu of %lu",
           ledger_total(&plan.file->pages), limit);
    kill(child, SIGCONT);
    for (unsigned look = 0; ledger_total(&plan.file->pages) > limit && look < 500; look++) {
        engine_verify(memory, FEW * PAGE_SIZE, 1);
        nap_us(10000);
    }
    expect(ledger_total(&plan.file->pages) <= limit, "%lu", ledger_total(&plan.file->pages));
    kill_child(child);
}

/* ---- Somebody is stopped in the door ---- */

static void stop_in_the_door(unsigned unused)
{
    int fd = door_open(plan.path, O_RDWR, "pool", region_name());

    expect(fd >= 0);
    raise(SIGSTOP);
    close(fd);
}

static void join_and_end(unsigned unused)
{
    expect(start_member() == 0);
}

static void joining_a_pool_does_not_wait_for_ever(uint64_t unused)
{
    pid_t child;
    int status;

    plan.members = 1;
    make_pool();
    engine_keep_messages();
    door_say_ms = 50, door_patience_ms = 200;
    child = start_child(stop_in_the_door, 0);
    expect(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    expect(start_member() == -ETIMEDOUT);
    expect(engine_said(region_name(), "waiting for another process"));
    expect(engine_said(region_name(), "ETIMEDOUT"));
    expect_nothing_held();
    kill(child, SIGCONT);
    expect(wait_for_child(child) == 0);
    expect(wait_for_child(start_child(join_and_end, 0)) == 0, "the door is free again");
    expect_nothing_held();
}

/* Who dies in the door is in nobody's way. */
static void the_door_of_the_dead_is_open(uint64_t unused)
{
    pid_t child;
    int status;

    plan.members = 1;
    make_pool();
    child = start_child(stop_in_the_door, 0);
    expect(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    kill_child(child);
    door_patience_ms = 200;
    expect(wait_for_child(start_child(join_and_end, 0)) == 0);
    expect_nothing_held();
}

static bool has_nothing(unsigned member)
{
    sharing_reap();
    return (atomic_load(&sharing_place(member)->state) & POOL_PLACE_MASK) == POOL_FREE &&
           ledger_held(&plan.file->pages, member) == 0;
}

static void die_before_the_child(unsigned number)
{
    unsigned parent;
    pid_t self = getpid();

    expect(start_member() == 0);
    engine_fill(engine_map(4 * MIB, 0), 4 * MIB, number + 1);
    parent = sharing_own();
    if (fork() != 0)
        raise(SIGKILL);
    while (getppid() == self)
        nap_us(1000);
    for (unsigned look = 0; look < 500 && !has_nothing(parent); look++)
        nap_us(10000);
    atomic_store(plan.steps, has_nothing(parent) ? 1 : 2);
    _exit(0);
}

/* What the dead had comes back to the pool, though a child of it lives. */
static void a_parent_dies_before_its_child(uint64_t unused)
{
    plan.members = 1;
    make_pool();
    expect(wait_for_child(start_child(die_before_the_child, 0)) == 128 + SIGKILL);
    for (unsigned look = 0; look < 1000 && !atomic_load(plan.steps); look++)
        nap_us(10000);
    expect(atomic_load(plan.steps) == 1);
    expect_nothing_held();
}

static const struct engine_case cases[] = {
    {.name = "everything_at_once", .run = everything_at_once, .seconds = 1100},
    {.name = "a_newcomer_goes_on_while_all_others_are_stopped",
     .run = a_newcomer_goes_on_while_all_others_are_stopped},
    {.name = "joining_a_pool_does_not_wait_for_ever", .run = joining_a_pool_does_not_wait_for_ever},
    {.name = "a_parent_dies_before_its_child", .run = a_parent_dies_before_its_child},
    {.name = "the_door_of_the_dead_is_open", .run = the_door_of_the_dead_is_open},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
