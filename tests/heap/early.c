/* SPDX-License-Identifier: MIT */
/* A library whose constructor and destructor use the heap; and where its memory lies. */
#include "heap_test.h"

#include <string.h>

char *early_block;

__attribute__((constructor)) static void allocate_early(void)
{
    early_block = strdup("made by a constructor");
}

__attribute__((destructor)) static void use_late(void)
{
    CHECK(strcmp(early_block, "made by a constructor, and grown") == 0);
    free(early_block);
    char *late = calloc(1, (size_t)8 << 20);
    CHECK(late && late[5 << 20] == 0);
    late = realloc(late, (size_t)9 << 20);
    CHECK(late);
    free(late);
    puts("destructor done");
}
