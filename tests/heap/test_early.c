/* SPDX-License-Identifier: MIT */
/*
 * The heap before main() and after exit(): in the constructors of a library, in handlers of
 * atexit() and in a library's destructor; dlopen and dlclose in between, and exit() from another
 * thread.
 */
#include "heap_test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

extern char *early_block;

static char *kept;

static void at_exit(void)
{
    CHECK(strcmp(kept, "kept") == 0);
    kept = realloc(kept, (size_t)1 << 20);
    CHECK(kept);
    memset(kept, 1, (size_t)1 << 20);
    free(kept);
}

static void *leave(void *unused)
{
    (void)unused;
    exit(0);
}

int main(void)
{
    pthread_t thread;

    CHECK(strcmp(early_block, "made by a constructor") == 0);
    early_block = realloc(early_block, 1000);
    strcat(early_block, ", and grown");
    for (int i = 0; i < 20; i++) {
        void *handle = dlopen("libm.so.6", RTLD_NOW);
        CHECK(handle && dlsym(handle, "cos"));
        dlclose(handle);
    }
    kept = strdup("kept");
    CHECK(atexit(at_exit) == 0);
    CHECK(pthread_create(&thread, NULL, leave, NULL) == 0);
    pthread_join(thread, NULL);
    return 1;
}
