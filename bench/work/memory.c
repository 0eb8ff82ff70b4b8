/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include "base/base.h"
#include "measure.h"
#include "uswap/uswap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file with all its blocks, so that writing back only writes. */
static void *map_file(size_t size, const char *directory)
{
    void *memory;
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);

    if (error)
        die("no file of %zu bytes in %s: %s", size, directory, strerror(error));
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        die("cannot map a file in %s: %s", directory, strerror(errno));
    close(fd);
    return memory;
}

void *memory_make(size_t size, const char *directory)
{
    char *memory;

    if (directory)
        return map_file(size, directory);
    memory = calloc(1, size + PAGE_SIZE);
    if (!memory)
        die("malloc has no %zu bytes", size);
    return (void *)align_up((uintptr_t)memory, PAGE_SIZE);
}

void *memory_make_api(size_t size, uint64_t ram, const char *swap)
{
    struct uswap_options start;
    struct uswap_map_options map = {.object_size = PAGE_SIZE, .name = "workload"};
    void *memory = NULL;

    uswap_options_init(&start);
    start.ram = ram;
    start.stores[0].path = swap;
    start.stores_count = swap ? 1 : 0;
    if (uswap_start(&start) || uswap_map(size, &map, &memory))
        die("uswap_map() has no %zu bytes", size);
    return memory;
}

void *memory_aside(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die("no memory for %zu bytes aside", size);
    return memory;
}
