/* SPDX-License-Identifier: MIT */
/*
 * Two shared regions under everything at once: 2, 4 and 16 processes that are killed, stopped and
 * replaced at random times, attach, detach and fork, and regions that are resized meanwhile.
 * Afterwards the regions have no members and count what is resident, and nothing else.
 *
 * Each word has one writer, by its place; it holds that writer's number and a counter. What the
 * counter was last is noted in plainly shared memory after each write: so a word holds that, or one
 * more, if its writer was killed or is just between the two.
 *
 * USWAP_SOAK: seconds, a third of them for each number of processes.
 */
#include "shared_kit.h"

#include "shared/object.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REGIONS   2
#define PER_PAGE  8 /* words of a page that are used */
#define PAGES     (SHARED_SIZE / PAGE_SIZE)
#define SLOTS     (PAGES * PER_PAGE)
#define MANY      16
#define TAG_SHIFT 48
#define REST      400 /* steps between attaching and detaching, at most */

static struct {
    unsigned processes;
    _Atomic uint64_t *last[REGIONS]; /* counters */
    _Atomic uint64_t *steps, *forks; /* of all */
    struct shared_file *file[REGIONS];
} plan;

static const char *name_of(unsigned region)
{
    static char names[REGIONS][48];

    snprintf(names[region], sizeof(names[region]), "%s-%u", region_name(), region);
    return names[region];
}

/* ---- A process ---- */

static uint64_t writer_of(uint64_t slot)
{
    return slot % MANY % plan.processes;
}

static uint64_t value_of(uint64_t slot, uint64_t counter)
{
    return counter ? (slot % MANY + 1) << TAG_SHIFT | counter : 0;
}

static uint64_t counter_of(uint64_t slot, uint64_t value)
{
    uint64_t counter = value & ((UINT64_C(1) << TAG_SHIFT) - 1);

    expect(value == value_of(slot, counter), "slot %lu: %lx", slot, value);
    return counter;
}

static _Atomic uint64_t *word_of(char *memory, uint64_t slot)
{
    return (_Atomic uint64_t *)(void *)(memory + slot / PER_PAGE * PAGE_SIZE) +
           slot % PER_PAGE * 61;
}

/* What it may be: at least what was noted before, at most one more than what is noted after. */
static uint64_t look(char *memory, unsigned region, uint64_t slot)
{
    uint64_t least = atomic_load(&plan.last[region][slot]);
    uint64_t counter = counter_of(slot, atomic_load(word_of(memory, slot)));
    uint64_t most = atomic_load(&plan.last[region][slot]) + 1;

    expect(counter >= least && counter <= most, "region %u slot %lu: %lu, not %lu to %lu", region,
           slot, counter, least, most);
    return counter;
}

static void step(char *memory, unsigned region, uint64_t slot, unsigned number)
{
    uint64_t counter = look(memory, region, slot);

    if (writer_of(slot) == number) {
        atomic_store(&plan.last[region][slot], counter); /* who was killed has not */
        atomic_store(word_of(memory, slot), value_of(slot, counter + 1));
        atomic_store(&plan.last[region][slot], counter + 1);
    }
    atomic_fetch_add(plan.steps, 1);
}

static char *attach(unsigned region)
{
    void *memory = NULL;
    int error;

    start_once();
    error = uswap_shared_attach(name_of(region), 0, &memory, NULL);
    expect(error == 0, "%d", error);
    return memory;
}

/* Some go through pages in order for a while. */
static uint64_t choose(uint64_t *state, uint64_t before, unsigned number)
{
    if (number % 3 == 1 && engine_below(state, 200))
        return (before + 1) % SLOTS;
    return engine_below(state, SLOTS);
}

/* A child has the regions, too; it looks, gives one up, looks on, and ends or is killed. */
static void fork_once(char **memory, uint64_t seed)
{
    pid_t child = fork();

    if (child) {
        expect(child > 0 && wait_for_child(child) == 0);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < 50; i++)
        look(memory[i % REGIONS], i % REGIONS, engine_below(&seed, SLOTS));
    expect(uswap_shared_detach(memory[1]) == 0);
    for (unsigned i = 0; i < 50; i++)
        look(memory[0], 0, engine_below(&seed, SLOTS));
    atomic_fetch_add(plan.forks, 1);
    _exit(0);
}

static void work(unsigned number)
{
    uint64_t state = engine_seed() + number + (uint64_t)getpid() * 1000;

    for (;;) {
        uint64_t rest = engine_below(&state, REST) + 1, slot = 0;
        char *memory[REGIONS];

        for (unsigned i = 0; i < REGIONS; i++)
            memory[i] = attach(i);
        for (uint64_t i = 0; i < rest * 10; i++) {
            unsigned region = (unsigned)engine_below(&state, REGIONS);
            slot = choose(&state, slot, number);
            step(memory[region], region, slot, number);
        }
        fork_once(memory, state);
        for (unsigned i = 0; i < REGIONS; i++)
            expect(uswap_shared_detach(memory[i]) == 0);
    }
}

/* ---- What happens to them ---- */

static void replace(pid_t *children, unsigned number)
{
    kill_child(children[number]);
    children[number] = start_child(work, number);
}

static void disturb(pid_t *children, uint64_t *state, unsigned *kills)
{
    unsigned victim = (unsigned)engine_below(state, plan.processes);

    switch (engine_below(state, 4)) {
    case 0:
        stop_child(children[victim], engine_below(state, 100000));
        break;
    case 1:
        atomic_store(&plan.file[engine_below(state, REGIONS)]->limit,
                     (2 * MIB + engine_below(state, SHARED_RAM - 2 * MIB)) >> PAGE_SHIFT);
        break;
    default:
        replace(children, victim);
        ++*kills;
    }
    nap_us(engine_below(state, 50000));
}

static void expect_progress(uint64_t *before, unsigned kills)
{
    uint64_t steps = atomic_load(plan.steps);

    printf("%u processes: %lu steps, %u killed\n", plan.processes, steps - *before, kills);
    expect(steps > *before + 1000);
    *before = steps;
}

static void soak(unsigned processes, double seconds, uint64_t *state, uint64_t *steps)
{
    time_t end = time(NULL) + (time_t)seconds;
    pid_t children[MANY];
    unsigned kills = 0;

    plan.processes = processes;
    for (unsigned i = 0; i < processes; i++)
        children[i] = start_child(work, i);
    while (time(NULL) < end || !atomic_load(plan.forks))
        disturb(children, state, &kills);
    for (unsigned i = 0; i < processes; i++)
        kill_child(children[i]);
    expect_progress(steps, kills);
}

/* ---- All of it ---- */

static struct shared_file *map_header(unsigned region)
{
    char path[SHARED_PATH_MAX];
    void *file;
    int fd;

    shared_name_path(name_of(region), path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    file = mmap(NULL, 128 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(file != MAP_FAILED);
    close(fd);
    return file;
}

static pid_t first; /* the process of the case */

static void forget(void)
{
    char path[SHARED_PATH_MAX];

    for (unsigned i = 0; i < REGIONS && getpid() == first; i++) {
        shared_name_path(name_of(i), path);
        unlink(path);
    }
}

static void begin(void)
{
    struct uswap_shared_options options = region_options(SHARED_SIZE, SHARED_RAM);

    first = getpid();
    atexit(forget);
    for (unsigned i = 0; i < REGIONS; i++) {
        expect(uswap_shared_create(name_of(i), &options) == 0);
        plan.file[i] = map_header(i);
        plan.last[i] = plain_memory(SLOTS * sizeof(uint64_t));
    }
    plan.steps = plain_memory(PAGE_SIZE);
    plan.forks = plan.steps + 1;
}

/* We are the only member; the others are dead or have detached. */
static void expect_nothing_leaked(const struct shared_file *file)
{
    uint64_t resident = 0;
    unsigned members = 0;

    for (unsigned i = 0; i < SHARED_MEMBERS; i++) {
        members += atomic_load(&file->members[i].pid) != 0;
        expect(atomic_load(&file->members[i].pending) == 0);
        expect(atomic_load(&file->members[i].pinned) == 0);
    }
    for (uint64_t i = 0; i < SHARED_SIZE / SHARED_OBJECT_SIZE; i++) {
        uint32_t word = atomic_load(&file->objects[i].word);
        expect(shared_owner_of(word) == 0, "object %lu: %x", i, word);
        resident += shared_state_of(word) == SHARED_RESIDENT ? SHARED_OBJECT_SIZE : 0;
    }
    expect(members == 1, "%u", members);
    expect(atomic_load(&file->used) << PAGE_SHIFT == resident, "%lu, not %lu",
           atomic_load(&file->used) << PAGE_SHIFT, resident);
}

static void end(void)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        char *memory = attach(i);

        for (uint64_t slot = 0; slot < SLOTS; slot++)
            look(memory, i, slot);
        expect(plan.file[i]->poisoned == 0 && plan.file[i]->io_errors == 0);
        expect(plan.file[i]->evictions > 0);
        nap_us(700000); /* its thread looks for the dead, and has made room */
        expect_nothing_leaked(plan.file[i]);
        expect(uswap_shared_detach(memory) == 0);
        expect(atomic_load(&plan.file[i]->members[0].pid) == 0);
        expect(uswap_shared_unlink(name_of(i)) == 0);
    }
}

static void everything_at_once(uint64_t unused)
{
    uint64_t state = engine_seed(), steps = 0;
    double third = soak_seconds() / 3;

    begin();
    soak(2, third, &state, &steps);
    soak(4, third, &state, &steps);
    soak(MANY, third, &state, &steps);
    end();
}

static const struct engine_case cases[] = {
    {.name = "everything_at_once", .run = everything_at_once, .seconds = 1000},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
