# SPDX-License-Identifier: MIT
"""What the kernel offers to limit memory and to swap: cgroups, swap files, zram, zswap.

Each function makes one thing, puts its undoing on the list, and raises Missing with the reason where it cannot.
"""
import os
import signal
import subprocess
import time

import undo

ZSWAP = '/sys/module/zswap/parameters'


class Missing(Exception):
    """This machine does not have or allow it; the text says why."""


def need_root():
    if os.geteuid() != 0:
        raise Missing('needs root')


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, text):
    try:
        with open(path, 'w') as file:
            file.write(str(text))
    except OSError as error:
        raise Missing(f'cannot write {text} to {path}: {error.strerror}') from None


def controller():
    """The directory of the memory controller, v1 or v2, and the name of its limit."""
    if os.path.exists('/sys/fs/cgroup/memory/memory.limit_in_bytes'):
        return '/sys/fs/cgroup/memory', 'memory.limit_in_bytes'
    try:
        if 'memory' in read('/sys/fs/cgroup/cgroup.controllers').split():
            return '/sys/fs/cgroup', 'memory.max'
    except OSError:
        pass
    raise Missing('no memory controller under /sys/fs/cgroup')


def remove_cgroup(path):
    for _ in range(50):  # the dead leave their cgroup a little later
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
    os.rmdir(path)


def cgroup_path():
    return f'{controller()[0]}/uswap-bench-{os.getpid()}'


def change_cgroup(limit, child):
    """The child stands still for it: it would take again what is taken from it, and the kernel (v1) would not end."""
    try:
        os.killpg(child.pid, signal.SIGSTOP)
        write(f'{cgroup_path()}/{controller()[1]}', limit)
        os.killpg(child.pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def cgroup(limit):
    """A cgroup with this limit; returns what a command needs in front to run there."""
    need_root()
    root, name = controller()
    if name == 'memory.max' and 'memory' not in read(f'{root}/cgroup.subtree_control').split():
        write(f'{root}/cgroup.subtree_control', '+memory')
        undo.later('the memory controller', lambda: write(f'{root}/cgroup.subtree_control', '-memory'))
    path = cgroup_path()
    try:
        os.mkdir(path)
    except OSError as error:
        raise Missing(f'cannot make a cgroup: {error.strerror}') from None
    undo.later('a cgroup', lambda: remove_cgroup(path))
    write(f'{path}/{name}', limit)
    return ['sh', '-c', f'echo $$ >{path}/cgroup.procs && exec "$@"', 'sh']


def swap_on(path):
    error = undo.run('mkswap', '-q', path) or undo.run('swapon', '-p', '32767', path)
    if error:
        raise Missing(f'cannot swap to {path}: {error}')

    def off():
        error = undo.run('swapoff', path)
        if error:
            raise OSError(error)
    undo.later(f'swapping to {path}', off)


def swap_file(directory, size):
    need_root()
    path = f'{directory}/swap'
    undo.later('a swap file', lambda: os.path.exists(path) and os.unlink(path))
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)
    except OSError as error:
        raise Missing(f'no swap file of {size >> 20} MiB in {directory}: {error.strerror}') from None
    swap_on(path)


def zram(size):
    """A device of its own; returns the path of its statistics."""
    need_root()
    if not os.path.exists('/sys/class/zram-control'):
        if undo.run('modprobe', 'zram'):
            raise Missing('the kernel has no zram')
        undo.later('the zram module', lambda: undo.run('rmmod', 'zram'))
    try:
        number = read('/sys/class/zram-control/hot_add')
    except OSError as error:
        raise Missing(f'no zram device: {error.strerror}') from None
    undo.later('a zram device', lambda: write('/sys/class/zram-control/hot_remove', number))
    block = f'/sys/block/zram{number}'
    write(f'{block}/comp_algorithm', 'lz4')
    write(f'{block}/disksize', size)
    for _ in range(50):
        if os.path.exists(f'/dev/zram{number}'):
            break
        time.sleep(0.1)
    swap_on(f'/dev/zram{number}')
    return f'{block}/mm_stat'


def counts_zswap():
    """Whether what it takes is in the limit of a cgroup anyway."""
    return controller()[1] == 'memory.max'


def zswap(on, most=None):
    """Switch it on, with lz4 where the kernel has it and a pool of so many bytes at most, or off. Returns a remark, or None."""
    if not os.path.exists(ZSWAP):
        if on:
            raise Missing('the kernel has no zswap')
        return None
    need_root()
    before = {name: read(f'{ZSWAP}/{name}') for name in ('enabled', 'compressor', 'max_pool_percent')}

    def restore():
        for name, value in before.items():
            write(f'{ZSWAP}/{name}', value)
    undo.later('zswap', restore)
    remark = None
    if on:
        try:
            write(f'{ZSWAP}/compressor', 'lz4')
        except Missing:
            remark = f'zswap compresses with {before["compressor"]}, for the kernel has no lz4 for it'
    if on and most:
        write(f'{ZSWAP}/max_pool_percent', max(1, most * 100 // total()))
    write(f'{ZSWAP}/enabled', 'Y' if on else 'N')
    return remark


def zswap_used():
    with open('/proc/meminfo') as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith('Zswap:'))


def zram_used(statistics):
    return int(read(statistics).split()[2])


def memory(name):
    with open('/proc/meminfo') as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f'{name}:'))


def total():
    return memory('MemTotal')


def available():
    return memory('MemAvailable')


def device_of(directory):
    """What a directory lies on, for the record."""
    try:
        out = subprocess.run(['findmnt', '-no', 'SOURCE,FSTYPE', '-T', directory], capture_output=True, text=True)
        return ' '.join(out.stdout.split()) or 'an unknown device'
    except OSError:
        return 'an unknown device'
