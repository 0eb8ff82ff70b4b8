/* SPDX-License-Identifier: MIT */
/*
 * POSIX asynchronous IO, and asynchronous look-ups of names. libc's run in threads that have all
 * signals blocked, where window memory cannot be used; so requests are carried out at once, in the
 * caller, and are complete when it returns. The functions that wait for, ask about and cancel
 * requests are libc's: they find them done.
 */
/* Both names of each function are defined here: none may stand for the other. */
#undef _FILE_OFFSET_BITS

#include "base/base.h"
#include "base/sys.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct notice {
    void (*function)(union sigval value);
    union sigval value;
};

static void *give_notice(void *argument)
{
    struct notice notice = *(struct notice *)argument;

    free(argument);
    notice.function(notice.value);
    return NULL;
}

static void notify_by_thread(const struct sigevent *event)
{
    struct notice *notice = malloc(sizeof(*notice));
    pthread_t thread;

    if (!notice)
        return;
    *notice = (struct notice){event->sigev_notify_function, event->sigev_value};
    if (pthread_create(&thread, event->sigev_notify_attributes, give_notice, notice))
        free(notice);
    else
        pthread_detach(thread);
}

static void notify(const struct sigevent *event, int code)
{
    siginfo_t info = {.si_signo = event->sigev_signo, .si_code = code};

    if (event->sigev_notify == SIGEV_THREAD)
        notify_by_thread(event);
    if (event->sigev_notify != SIGEV_SIGNAL)
        return;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value = event->sigev_value;
    sys_call(SYS_rt_sigqueueinfo, getpid(), event->sigev_signo, &info);
}

/* What cannot be positioned is read and written as it comes. */
static ssize_t transfer(const struct aiocb *request, int operation)
{
    void *buffer = (void *)(uintptr_t)request->aio_buf;
    bool reads = operation == LIO_READ;
    ssize_t result =
        reads ? pread(request->aio_fildes, buffer, request->aio_nbytes, request->aio_offset)
              : pwrite(request->aio_fildes, buffer, request->aio_nbytes, request->aio_offset);

    if (result >= 0 || errno != ESPIPE)
        return result;
    return reads ? read(request->aio_fildes, buffer, request->aio_nbytes)
                 : write(request->aio_fildes, buffer, request->aio_nbytes);
}

static void complete(struct aiocb *request, ssize_t result)
{
    request->__return_value = result;
    request->__error_code = result < 0 ? errno : 0;
    notify(&request->aio_sigevent, SI_ASYNCIO);
}

static int carry_out(struct aiocb *request, int operation)
{
    int before = errno;

    complete(request, transfer(request, operation));
    errno = before;
    return 0;
}

exported int aio_read(struct aiocb *request)
{
    return carry_out(request, LIO_READ);
}

exported int aio_write(struct aiocb *request)
{
    return carry_out(request, LIO_WRITE);
}

exported int aio_fsync(int operation, struct aiocb *request)
{
    if (operation != O_SYNC && operation != O_DSYNC) {
        errno = EINVAL;
        return -1;
    }
    complete(request,
             operation == O_SYNC ? fsync(request->aio_fildes) : fdatasync(request->aio_fildes));
    return 0;
}

exported int lio_listio(int mode, struct aiocb *const list[restrict], int count,
                        struct sigevent *restrict event)
{
    bool failed = false;

    for (int i = 0; i < count; i++) {
        if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP)
            continue;
        carry_out(list[i], list[i]->aio_lio_opcode);
        failed |= list[i]->__error_code != 0;
    }
    if (mode == LIO_NOWAIT && event)
        notify(event, SI_ASYNCIO);
    if (!failed || mode == LIO_NOWAIT)
        return 0;
    errno = EIO;
    return -1;
}

exported int getaddrinfo_a(int mode, struct gaicb *list[restrict], int count,
                           struct sigevent *restrict event)
{
    if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
        errno = EINVAL;
        return EAI_SYSTEM;
    }
    for (int i = 0; i < count; i++)
        if (list[i])
            list[i]->__return = getaddrinfo(list[i]->ar_name, list[i]->ar_service,
                                            list[i]->ar_request, &list[i]->ar_result);
    if (mode == GAI_NOWAIT && event)
        notify(event, SI_ASYNCNL);
    return 0;
}

/* The structures of both names are the same. */
exported int aio_read64(struct aiocb64 *request) __attribute__((alias("aio_read")));
exported int aio_write64(struct aiocb64 *request) __attribute__((alias("aio_write")));
exported int aio_fsync64(int operation, struct aiocb64 *request)
    __attribute__((alias("aio_fsync")));
exported int lio_listio64(int mode, struct aiocb64 *const list[restrict], int count,
                          struct sigevent *restrict event) __attribute__((alias("lio_listio")));
