/* SPDX-License-Identifier: MIT */
/*
 * The buffers of libc's streams and directories lie outside the window, as many as there is room
 * for; more of them lie in it. Either way files are what they are, in many threads, and after a
 * fork.
 */
#include "heap_test.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define FILES       40
#define DIRECTORIES 8
#define LINES       3000

__attribute__((weak)) int uswap_advise(void *address, size_t size, enum uswap_advice advice);

static char folder[] = "/var/tmp/uswap-test-XXXXXX";
static atomic_uint lines_read;

static void name_of(char path[64], unsigned i)
{
    snprintf(path, 64, "%s/%u", folder, i);
}

static bool is_swapped(void *memory)
{
    return uswap_advise(memory, 1, USWAP_COLD) == 0;
}

/* All at once. */
static void write_files(void)
{
    FILE *files[FILES];
    unsigned outside = 0;
    char path[64];

    for (unsigned i = 0; i < FILES; i++) {
        name_of(path, i);
        files[i] = fopen(path, "w");
        CHECK(files[i]);
    }
    for (unsigned j = 0; j < LINES; j++)
        for (unsigned i = 0; i < FILES; i++)
            CHECK(fprintf(files[i], "line %u of %u\n", j, i) > 0);
    for (unsigned i = 0; i < FILES; i++) {
        outside += !is_swapped(files[i]->_IO_buf_base);
        CHECK(malloc_usable_size(files[i]->_IO_buf_base) >= 4096);
        CHECK(fclose(files[i]) == 0);
    }
    printf("%u of %u streams outside\n", outside, FILES);
    CHECK(outside > 0 && outside < FILES);
}

static void read_file(unsigned i)
{
    char path[64], line[64], right[64];

    name_of(path, i);
    FILE *file = fopen(path, "r");
    CHECK(file);
    for (unsigned j = 0; j < LINES; j++) {
        snprintf(right, sizeof(right), "line %u of %u\n", j, i);
        CHECK(fgets(line, sizeof(line), file) && strcmp(line, right) == 0);
        atomic_fetch_add(&lines_read, 1);
    }
    CHECK(!fgets(line, sizeof(line), file) && fclose(file) == 0);
}

static unsigned count_entries(DIR *directory)
{
    unsigned count = 0;

    while (readdir(directory))
        count++;
    return count;
}

static void read_directories(void)
{
    DIR *directories[DIRECTORIES];

    for (unsigned i = 0; i < DIRECTORIES; i++)
        CHECK((directories[i] = opendir(folder)));
    for (unsigned i = 0; i < DIRECTORIES; i++)
        CHECK(count_entries(directories[i]) == FILES + 2);
    CHECK(!is_swapped(directories[0]) && is_swapped(directories[DIRECTORIES - 1]));
    for (unsigned i = 0; i < DIRECTORIES; i++)
        CHECK(closedir(directories[i]) == 0);
}

static void *read_all(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < FILES; i++) {
        DIR *directory = opendir(folder);
        CHECK(directory && count_entries(directory) == FILES + 2);
        read_file(i);
        CHECK(closedir(directory) == 0);
        char *here = getcwd(NULL, 0); /* libc takes a page and gives most of it back */
        CHECK(here && *here == '/');
        free(here);
    }
    return NULL;
}

static void in_threads(void)
{
    pthread_t threads[6];

    for (int i = 0; i < 6; i++)
        CHECK(pthread_create(&threads[i], NULL, read_all, NULL) == 0);
    for (int i = 0; i < 6; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(lines_read == 6 * FILES * LINES);
}

/* The child goes on with what its parent had. */
static void after_fork(void)
{
    char path[64], line[64];

    name_of(path, 7);
    FILE *file = fopen(path, "r");
    CHECK(file && fgets(line, sizeof(line), file));
    pid_t child = fork();
    if (child == 0) {
        CHECK(fgets(line, sizeof(line), file) && strcmp(line, "line 1 of 7\n") == 0);
        fclose(file);
        read_all(NULL);
        _exit(0);
    }
    check_child(child);
    CHECK(fgets(line, sizeof(line), file) && strcmp(line, "line 1 of 7\n") == 0);
    fclose(file);
}

/* What the program itself allocates in these sizes is swapped. */
static void the_program_gets_none(void)
{
    for (int i = 0; i < 100; i++)
        CHECK(is_swapped(malloc(i % 2 ? 4096 : 32768 + 48)));
}

int main(void)
{
    char path[64];

    CHECK(mkdtemp(folder));
    the_program_gets_none();
    write_files();
    read_directories();
    in_threads();
    after_fork();
    write_files(); /* all are free again */
    for (unsigned i = 0; i < FILES; i++) {
        name_of(path, i);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir(folder) == 0);
    return 0;
}
