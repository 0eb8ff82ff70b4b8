/* SPDX-License-Identifier: MIT */
/*
 * Names of shared regions: making, joining and removing at the same time, killed at every system
 * call, or stopped. Nothing is left of a region that is not there, and one that is there is whole.
 */
#include "shared_kit.h"

#include "base/door.h"
#include "shared/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SMALL_SIZE (512 * KIB)
#define SMALL_RAM  (1 * MIB)

/* Two folders for stores, and a store that stays. */
static char folder_a[300], folder_b[300], kept[300];
static bool keeps;

static void begin(uint64_t stays)
{
    keeps = stays;
    snprintf(folder_a, sizeof(folder_a), "%s/a", engine_directory());
    snprintf(folder_b, sizeof(folder_b), "%s/b", engine_directory());
    snprintf(kept, sizeof(kept), "%s/kept", engine_directory());
    expect(mkdir(folder_a, 0700) == 0 && mkdir(folder_b, 0700) == 0);
    region_name();
    engine_keep_messages();
}

static int create_in(const char *folder)
{
    struct uswap_shared_options options = {.size = SMALL_SIZE, .ram = SMALL_RAM, .swap = folder};

    if (keeps)
        options.swap = NULL, options.persist = kept;
    return uswap_shared_create(region_name(), &options);
}

static int remove_it(void)
{
    return uswap_shared_unlink(region_name());
}

static unsigned entries(const char *folder)
{
    DIR *files = opendir(folder);
    unsigned count = 0;

    expect(files);
    while (readdir(files))
        count++;
    closedir(files);
    return count - 2; /* without . and .. */
}

static bool is_named(void)
{
    char path[SHARED_PATH_MAX];

    shared_name_path(region_name(), path);
    return access(path, F_OK) == 0;
}

static void expect_nothing_left(const char *when, unsigned point)
{
    expect(!is_named(), "%s %u", when, point);
    expect(entries(folder_a) + entries(folder_b) == 0, "%s %u", when, point);
}

static void end(void)
{
    expect_nothing_left("at the end", 0);
    unlink(kept);
    expect(rmdir(folder_a) == 0 && rmdir(folder_b) == 0);
}

static void fill_and_detach(uint64_t tag)
{
    void *memory = join_region(0);

    engine_fill(memory, SMALL_SIZE, tag);
    expect(uswap_shared_detach(memory) == 0);
}

static void expect_content(uint64_t tag)
{
    void *memory = join_region(USWAP_SHARED_READ_ONLY);

    if (tag)
        engine_verify(memory, SMALL_SIZE, tag);
    else
        engine_verify_zero(memory, SMALL_SIZE);
    expect(uswap_shared_detach(memory) == 0);
}

/* ---- Killed at every system call ---- */

static int create_in_a(void)
{
    return create_in(folder_a);
}

/* Do it in a process that is killed when it has come so far. Returns whether it was: else it has
 * done it. */
static bool killed_at(unsigned point, int (*act)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(act() ? 1 : 0);
    }
    expect(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
    for (unsigned i = 0; i < 2 * point + 1; i++) { /* each is entered and left */
        expect(ptrace(PTRACE_SYSCALL, child, NULL, NULL) == 0);
        expect(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status)) {
            expect(WEXITSTATUS(status) == 0);
            return false;
        }
    }
    kill(child, SIGKILL);
    expect(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    return true;
}

/* What is left is in nobody's way: the next one makes it, or it is there and whole. */
static void make_after(unsigned point)
{
    int error = create_in(folder_b);

    expect(error == 0 || error == -EEXIST, "%d at %u: %s", error, point, engine_last_message());
    expect_content(0);
    error = remove_it();
    expect(error == 0, "%d at %u: %s", error, point, engine_last_message());
    expect_nothing_left("made after", point);
}

/* Or it can be removed. */
static void remove_after(unsigned point)
{
    int error = remove_it();

    expect(error == 0 || error == -ENOENT, "%d at %u: %s", error, point, engine_last_message());
    expect_nothing_left("removed after", point);
}

static void making_can_be_killed_anywhere(uint64_t stays)
{
    unsigned point = 0;
    bool killed = true;

    begin(stays);
    start_once();
    for (; killed; point++) {
        killed = killed_at(point, create_in_a);
        make_after(point);
        killed_at(point, create_in_a);
        remove_after(point);
        unlink(kept);
    }
    expect(point > 15, "%u", point);
    end();
}

/* A removal that was cut off leaves the region as it was, or one that can be removed or made. */
static void removing_can_be_killed_anywhere(uint64_t unused)
{
    unsigned point = 0;
    bool killed = true;

    begin(false);
    start_once();
    for (; killed; point++) {
        expect(create_in_a() == 0);
        killed = killed_at(point, remove_it);
        remove_after(point);
        expect(create_in_a() == 0);
        killed_at(point, remove_it);
        if (create_in(folder_b) == 0)
            expect(entries(folder_a) == 0, "%u", point);
        expect_content(0);
        expect(remove_it() == 0);
        expect_nothing_left("removed", point);
    }
    expect(point > 15, "%u", point);
    end();
}

/* What the store that stays holds is there all the time. */
static void a_kept_store_outlives_removals_that_are_killed(uint64_t unused)
{
    unsigned point = 0;
    bool killed = true;

    begin(true);
    start_once();
    expect(create_in_a() == 0);
    fill_and_detach(1);
    for (; killed; point++) {
        int error;

        killed = killed_at(point, remove_it);
        error = create_in_a();
        expect(error == 0 || error == -EEXIST, "%d at %u: %s", error, point, engine_last_message());
        expect_content(1 + point);
        fill_and_detach(2 + point);
    }
    expect(remove_it() == 0);
    expect(point > 15, "%u", point);
    end();
}

/* ---- At the same time ---- */

#define RACERS   5
#define RACE_SEC 2

static void expect_one_of(const char *what, int error, int other)
{
    expect(error == 0 || error == other, "%s: %d: %s", what, error, engine_last_message());
}

/* Who has attached it has a region, whatever becomes of its name. */
static void attach_and_use(uint64_t *state)
{
    void *memory = NULL;
    int error = uswap_shared_attach(region_name(), 0, &memory, NULL);
    _Atomic uint64_t *word = memory;

    expect_one_of("attach", error, -ENOENT);
    if (error)
        return;
    atomic_fetch_add(&word[engine_below(state, SMALL_SIZE / sizeof(*word))], 1);
    expect(uswap_shared_detach(memory) == 0);
}

static void race(unsigned number)
{
    uint64_t state = engine_seed() + number;
    time_t until = time(NULL) + RACE_SEC;

    start_once();
    while (time(NULL) < until) {
        switch (engine_below(&state, 3)) {
        case 0:
            expect_one_of("create", create_in(number % 2 ? folder_a : folder_b), -EEXIST);
            break;
        case 1:
            expect_one_of("remove", remove_it(), -ENOENT);
            break;
        default:
            attach_and_use(&state);
        }
    }
}

static void making_joining_and_removing_at_once(uint64_t unused)
{
    begin(false);
    run_together(RACERS, race);
    expect_one_of("remove", remove_it(), -ENOENT);
    end();
}

/* ---- Somebody is stopped in the door ---- */

static void stop_in_the_door(unsigned unused)
{
    char path[SHARED_PATH_MAX];
    int fd;

    shared_name_path(region_name(), path);
    fd = door_open(path, O_RDWR, "region", region_name());
    expect(fd >= 0);
    raise(SIGSTOP);
    close(fd);
}

static void waiting_for_a_stopped_one_ends(uint64_t unused)
{
    void *memory, *address = NULL;
    pid_t child;
    int status;

    begin(false);
    start_once();
    expect(create_in_a() == 0);
    memory = join_region(0);
    door_say_ms = 50, door_patience_ms = 200;
    child = start_child(stop_in_the_door, 0);
    expect(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    expect(uswap_shared_attach(region_name(), 0, &address, NULL) == -ETIMEDOUT);
    expect(engine_said(region_name(), "waiting for another process"));
    expect(engine_said(region_name(), "does not go on"));
    expect(create_in_a() == -ETIMEDOUT);
    expect(remove_it() == -ETIMEDOUT);
    expect(uswap_shared_detach(memory) == -ETIMEDOUT, "but it is detached");
    expect(uswap_shared_detach(memory) == -EINVAL);
    kill(child, SIGCONT);
    expect(wait_for_child(child) == 0);
    expect_content(0);
    expect(remove_it() == 0);
    end();
}

/* What is under the store's name and is not ours to overwrite is left to who has it. */
static void a_store_of_that_name_goes_on(uint64_t unused)
{
    char path[SHARED_PATH_MAX], word[8];
    int fd;

    begin(false);
    shared_name_store(region_name(), folder_a, path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    expect(write(fd, "theirs", 7) == 7);
    expect(create_in_a() == 0);
    expect(pread(fd, word, 7, 0) == 7 && strcmp(word, "theirs") == 0);
    close(fd);
    expect_content(0);
    expect(remove_it() == 0);
    end();
}

static const struct engine_case cases[] = {
    {.name = "making_can_be_killed_anywhere", .run = making_can_be_killed_anywhere},
    {.name = "making_of_a_kept_one_can_be_killed_anywhere",
     .run = making_can_be_killed_anywhere,
     .parameter = true},
    {.name = "removing_can_be_killed_anywhere", .run = removing_can_be_killed_anywhere},
    {.name = "a_kept_store_outlives_removals_that_are_killed",
     .run = a_kept_store_outlives_removals_that_are_killed},
    {.name = "making_joining_and_removing_at_once", .run = making_joining_and_removing_at_once},
    {.name = "waiting_for_a_stopped_one_ends", .run = waiting_for_a_stopped_one_ends},
    {.name = "a_store_of_that_name_goes_on", .run = a_store_of_that_name_goes_on},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
