/* SPDX-License-Identifier: MIT */
#include "shared/member.h"

#include "base/fmt.h"
#include "base/sys.h"
#include "shared/object.h"
#include "shared/room.h"

#include <errno.h>
#include <sys/prctl.h>

/* We hold its byte: nobody else is at it, and it cannot come back. */
static void clean_up(struct shared *shared, unsigned member)
{
    room_recover(shared, member);
    for (uint64_t object = 0; object < shared->count; object++)
        shared_recover(shared, object, member + 1);
    /* Nothing of it is mapped any more: its bits may go whoever owns the objects. */
    for (uint64_t object = 0; object < shared->count; object++)
        atomic_fetch_and(&shared->file->objects[object].mapped, ~((uint64_t)1 << member));
    room_forget_member(shared, member);
    atomic_store(&shared->file->members[member].pinned, 0);
    atomic_store(&shared->file->members[member].pid, 0);
}

/* One thread of a process at a time: a process's locks do not keep its own threads apart. */
void member_reap(struct shared *shared, unsigned member)
{
    if (member == shared->member || atomic_exchange(&shared->reaping, true))
        return;
    if (alive_lock(&shared->alive, shared->alive.fd, member)) {
        clean_up(shared, member);
        alive_unlock(shared->alive.fd, member);
    }
    atomic_store(&shared->reaping, false);
}

unsigned member_reap_all(struct shared *shared)
{
    unsigned alive = 0;

    for (unsigned i = 0; i < SHARED_MEMBERS; i++) {
        if (i == shared->member || !atomic_load(&shared->file->members[i].pid))
            continue;
        member_reap(shared, i);
        alive += atomic_load(&shared->file->members[i].pid) != 0;
    }
    return alive;
}

int member_join(struct shared *shared)
{
    shared->member = SHARED_MEMBERS; /* no number: what has to be finished before is not ours */
    for (unsigned i = 0; i < SHARED_MEMBERS; i++) {
        struct shared_member *place = &shared->file->members[i];

        if (!alive_lock(&shared->alive, shared->alive.fd, i))
            continue;
        shared->member = i;
        shared->joined = atomic_fetch_add(&place->joined, 1) + 1;
        if (atomic_load(&place->pid))
            clean_up(shared, i);
        sys_call(SYS_prctl, PR_GET_NAME, place->name);
        atomic_store(&place->pid, (uint32_t)sys_call(SYS_getpid));
        return 0;
    }
    return -EAGAIN;
}

void member_leave(struct shared *shared)
{
    room_forget_member(shared, shared->member);
    atomic_store(&shared->file->members[shared->member].pinned, 0);
    atomic_store(&shared->file->members[shared->member].pid, 0);
    alive_unlock(shared->alive.fd, shared->member);
}
