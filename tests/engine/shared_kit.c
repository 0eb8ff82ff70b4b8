/* SPDX-License-Identifier: MIT */
#include "shared_kit.h"

#include "base/fmt.h"
#include "shared/file.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t owner; /* of the region's name */

const char *region_name(void)
{
    static char name[32];

    if (!owner)
        owner = getpid();
    fmt_write(name, sizeof(name), "test-%d", owner);
    return name;
}

struct uswap_shared_options region_options(uint64_t size, uint64_t ram)
{
    return (struct uswap_shared_options){.size = size, .ram = ram, .swap = engine_directory()};
}

static void forget_region(void)
{
    char path[SHARED_PATH_MAX];

    shared_name_path(region_name(), path);
    if (getpid() == owner)
        unlink(path);
}

void make_region(uint64_t size, uint64_t ram, uint64_t object_size)
{
    struct uswap_shared_options options = region_options(size, ram);
    int error;

    options.object_size = object_size;
    atexit(forget_region);
    error = uswap_shared_create(region_name(), &options);
    expect(error == 0, "%d", error);
}

void start_once(void)
{
    static bool started;

    if (!started)
        engine_start(16 * MIB, 32 * MIB);
    started = true;
}

void *join_region(unsigned flags)
{
    void *address = NULL;
    size_t size;
    int error;

    start_once();
    error = uswap_shared_attach(region_name(), flags, &address, &size);
    expect(error == 0, "%d", error);
    return address;
}

uint64_t region_resident(void)
{
    char path[SHARED_PATH_MAX];
    struct stat status;

    shared_name_path(region_name(), path);
    expect(stat(path, &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

void remove_region(void)
{
    char path[SHARED_PATH_MAX];
    int error = uswap_shared_unlink(region_name());

    expect(error == 0, "%d", error);
    shared_name_path(region_name(), path);
    expect(access(path, F_OK) != 0);
}

pid_t start_child(void (*body)(unsigned number), unsigned number)
{
    pid_t child;

    region_name();
    child = fork();
    expect(child >= 0);
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body(number);
    exit(0);
}

int wait_for_child(pid_t child)
{
    int status;

    expect(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kill_child(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    status = wait_for_child(child);
    expect(status == 128 + SIGKILL, "it had ended with %d", status);
}

void stop_child(pid_t child, uint64_t us)
{
    kill(child, SIGSTOP);
    nap_us(us);
    kill(child, SIGCONT);
}

void nap_us(uint64_t us)
{
    nanosleep(&(struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000}, NULL);
}

void run_together(unsigned count, void (*body)(unsigned number))
{
    pid_t children[64];

    for (unsigned i = 0; i < count; i++)
        children[i] = start_child(body, i);
    for (unsigned i = 0; i < count; i++) {
        int status = wait_for_child(children[i]);
        expect(status == 0, "process %u of %u ended with %d", i, count, status);
    }
}

double soak_seconds(void)
{
    const char *text = getenv("USWAP_SOAK");

    return text ? strtod(text, NULL) : 30;
}

void *plain_memory(size_t size)
{
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    expect(page != MAP_FAILED);
    return page;
}
