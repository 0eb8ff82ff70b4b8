/* SPDX-License-Identifier: MIT */
#include "arena/clean.h"

#include "arena/region.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "mask/mask.h"

void clean_end(object_t object, uint64_t word)
{
    char name[8];
    int error = 0;

    if (object_is_clean(word))
        error = mask_unprotect(page_address(object), (size_t)object_pages(object) * PAGE_SIZE);
    if (error)
        msg_error("the memory at %p stays protected (%s)", page_address(object),
                  fmt_errno(error, name));
}
