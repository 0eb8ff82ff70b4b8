/* SPDX-License-Identifier: MIT */
#include "observe/control.h"

#include "observe/status.h"

#include <string.h>

_Static_assert(sizeof(struct control) == PAGE_SIZE, "others map one page");

struct control control_page;

static int control_fd = -1;

void control_start(void)
{
    if (status_map(CONTROL_NAME, &control_page, sizeof(control_page), true, &control_fd))
        memset(&control_page, 0, sizeof(control_page));
    control_page.version = CONTROL_VERSION;
    __atomic_store_n(&control_page.magic, CONTROL_MAGIC, __ATOMIC_RELEASE);
}
