# SPDX-License-Identifier: MIT
"""Who is compared: how each limits the memory of a program, and where it swaps to.

open(limit, size) makes what the rival needs and returns the words to put in front of a command; what it makes
is on the list of undo.py.
"""
import shutil

import limits


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
        """Bytes that it holds outside of the limit."""
        return 0


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


class Zram(Rival):
    name, title = 'zram', 'zram lz4'
    statistics = None

    def open(self, limit, size):
        limits.need_root()
        limits.zswap(False)
        self.statistics = limits.zram(size + size // 2)
        return limits.cgroup(limit)

    def beside(self):
        return limits.zram_used(self.statistics)


class Zswap(Rival):
    name, title = 'zswap', 'zswap'

    def open(self, limit, size):
        limits.need_root()
        remark = limits.zswap(True)
        if remark:
            self.remarks.append(remark)
        limits.swap_file(self.place, size + size // 2)
        return limits.cgroup(limit)

    def beside(self):
        return limits.zswap_used()


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


OTHERS = {rival.name: rival for rival in (Api, Kernel, Zram, Zswap, Mmap, NoLimit, Device)}
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
