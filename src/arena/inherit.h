/* SPDX-License-Identifier: MIT */
/* What a child of fork does not inherit of its parent's mappings. */
#ifndef USWAP_ARENA_INHERIT_H
#define USWAP_ARENA_INHERIT_H

/* In the child, when the engine works again and before anybody else is inside. */
void inherit_fork_child(void);

#endif
