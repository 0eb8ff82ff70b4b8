# SPDX-License-Identifier: MIT
"""Who is compared: how each limits the memory of a program, and where it swaps to.

open(limit, size) makes what the rival needs and returns the words to put in front of a command; what it makes
is on the list of undo.py.
"""
import shutil

import limits

# What compressed memory takes is taken off the limit in steps of this part of it; less than that part is too little.
STEP_PART = 64
LEAST_PART = 16


class Rival:
    name = title = ''
    takes = 'all'  # which sessions it can run: all, or those of the program 'workload'
    lacks = ''     # why not all

    def __init__(self, place):
        self.place = place   # the session's directory, on the disk in question
        self.remarks = []

    def open(self, limit, size):
        return []

    def arguments(self, limit):
        """More options for the workload."""
        return []

    def beside(self):
        """Bytes of its own that the limit does not cover by itself."""
        return 0

    def keep(self, child):
        """Called all the time while the child runs, to have it stay within the limit."""


class Uswap(Rival):
    name = title = 'uswap'

    def __init__(self, place, command, options=()):
        super().__init__(place)
        self.command, self.options = command, list(options)

    def open(self, limit, size):
        return [self.command, 'run', '--ram', str(limit), '--swap', self.place, *self.options, '--']


class Api(Rival):
    name = title = 'uswap-api'
    takes, lacks = 'workload', 'the library has no malloc'

    def arguments(self, limit):
        return ['--api', self.place]


class Kernel(Rival):
    name, title = 'kernel', 'kernel swap'

    def open(self, limit, size):
        limits.need_root()
        limits.zswap(False)
        limits.swap_file(self.place, size + size // 2)
        return limits.cgroup(limit)


class Compressing(Rival):
    """Kernel swap into compressed memory, which no cgroup counts: what it takes is taken off the limit."""
    counted = True
    limit = left = 0

    def cgroup(self, limit):
        self.limit = self.left = limit
        return limits.cgroup(limit)

    def keep(self, child):
        left = self.limit - self.beside()
        if not self.counted or abs(left - self.left) < self.limit // STEP_PART:
            return
        if left < self.limit // LEAST_PART:
            raise limits.Missing(f'with {self.beside() >> 20} MiB of compressed memory it does not fit into {self.limit >> 20} MiB')
        limits.change_cgroup(left, child)
        self.left = left


class Zram(Compressing):
    name, title = 'zram', 'zram lz4'
    statistics = None

    def open(self, limit, size):
        limits.need_root()
        limits.zswap(False)
        self.statistics = limits.zram(size + size // 2)
        return self.cgroup(limit)

    def beside(self):
        return limits.zram_used(self.statistics)


class ZramBeside(Zram):
    name, title, counted = 'zram-beside', 'zram lz4, more memory', False


class Zswap(Compressing):
    name, title = 'zswap', 'zswap'

    def open(self, limit, size):
        limits.need_root()
        remark = limits.zswap(True, limit // 2 if self.counted else None)
        if remark:
            self.remarks.append(remark)
        limits.swap_file(self.place, size + size // 2)
        return self.cgroup(limit)

    def beside(self):
        return 0 if limits.counts_zswap() else limits.zswap_used()


class ZswapBeside(Zswap):
    name, title, counted = 'zswap-beside', 'zswap, more memory', False


class Mmap(Rival):
    name, title = 'mmap', 'mmap of a file'
    takes, lacks = 'workload', 'what comes from malloc is in no file'

    def open(self, limit, size):
        return limits.cgroup(limit)

    def arguments(self, limit):
        return ['--file', self.place]


class NoLimit(Rival):
    name, title = 'none', 'no limit'

    def open(self, limit, size):
        if limits.available() < size + size // 4:
            raise limits.Missing('the set does not fit in the memory of this machine')
        return []


class Device(Rival):
    """fio, which needs no limit: what the disk alone can do."""
    name, title = 'device', 'device (fio)'
    takes, lacks = 'workload', 'fio reads and writes, and no more'

    def open(self, limit, size):
        if not shutil.which('fio'):
            raise limits.Missing('fio is not installed')
        return []


OTHERS = {rival.name: rival for rival in (Api, Kernel, Zram, ZramBeside, Zswap, ZswapBeside, Mmap, NoLimit, Device)}
NAMES = ['uswap', *OTHERS]
DEFAULT = ['uswap', 'kernel', 'zram', 'zswap', 'mmap', 'none', 'device']


def is_known(name):
    return name in OTHERS or name == 'uswap' or name.startswith('uswap:')


def make(name, place, uswap):
    """By name; 'uswap:--option=value' is uswap with that option."""
    if name in OTHERS:
        return OTHERS[name](place)
    return Uswap(place, uswap, name.split(':', 1)[1:])


def title(name):
    return OTHERS[name].title if name in OTHERS else name
