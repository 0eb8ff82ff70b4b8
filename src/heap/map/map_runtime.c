/* SPDX-License-Identifier: MIT */
#include "heap/map/map_runtime.h"

#include <link.h>
#include <string.h>

/* The note that the Go linker puts into everything it makes: its build identity. */
#define GO_NOTE_TYPE 4

static bool is_go_note(const ElfW(Nhdr) * note)
{
    return note->n_type == GO_NOTE_TYPE && note->n_namesz == 4 &&
           memcmp(note + 1, "Go\0", note->n_namesz) == 0;
}

static bool has_go_note(const char *notes, size_t size)
{
    size_t at = 0;

    while (at + sizeof(ElfW(Nhdr)) <= size) {
        const ElfW(Nhdr) *note = (const void *)(notes + at);
        if (is_go_note(note))
            return true;
        at += sizeof(*note) + align_up(note->n_namesz, 4) + align_up(note->n_descsz, 4);
    }
    return false;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *unused)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE &&
            has_go_note((const char *)(info->dlpi_addr + header->p_vaddr), header->p_memsz))
            return 1;
    }
    return 0;
}

bool map_runtime_is_go(void)
{
    return dl_iterate_phdr(look_at, NULL) != 0;
}
