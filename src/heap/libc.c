/* SPDX-License-Identifier: MIT */
#include "heap/libc.h"

#include <gnu/libc-version.h>
#include <link.h>

uintptr_t libc_text;
size_t libc_text_size;

/* Any function that is only in libc.so will do. */
static int find_text(struct dl_phdr_info *info, size_t size, void *unused)
{
    uintptr_t inside = (uintptr_t)gnu_get_libc_version;

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;

        if (header->p_type != PT_LOAD || inside - start >= header->p_memsz)
            continue;
        libc_text = start;
        libc_text_size = header->p_memsz;
        return 1;
    }
    return 0;
}

void libc_find(void)
{
    dl_iterate_phdr(find_text, NULL);
}
