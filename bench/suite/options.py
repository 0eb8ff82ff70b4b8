# SPDX-License-Identifier: MIT
"""The options, read and checked before anything starts: a wrong one is one message and exit code 2.

`uswap bench` has the same names in its table (cmd/bench.c), for help and completion.
"""
import os
import re
import sys

import rivals
import workloads

UNITS = {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}


def fail(text):
    print(f'uswap: bench: {text}', file=sys.stderr)
    sys.exit(2)


def read_size(option, text):
    match = re.fullmatch(r'(\d+(?:\.\d+)?)([KMGT]?)', text.upper())
    if not match:
        fail(f'{option} {text}: not a size such as 512M')
    return int(float(match[1]) * UNITS[match[2]])


def read_count(option, text):
    if not re.fullmatch(r'[1-9]\d{0,3}', text):
        fail(f'{option} {text}: not a number from 1 on')
    return int(text)


def read_seconds(option, text):
    if not re.fullmatch(r'\d{1,4}(\.\d+)?', text) or float(text) <= 0:
        fail(f'{option} {text}: not a number of seconds')
    return float(text)


def read_rivals(option, text):
    names = text.split(',')
    for name in names:
        if not rivals.is_known(name):
            fail(f'{option} {name}: no such rival; there are {", ".join(rivals.NAMES)}')
    return names


def read_only(option, text):
    try:
        return workloads.choose(text.split(','))
    except KeyError as error:
        fail(f'{option} {error.args[0]}: no such workload; see --list')


def read_directory(option, text):
    if not os.path.isdir(text) or not os.access(text, os.W_OK):
        fail(f'{option} {text}: not a directory that can be written')
    return os.path.abspath(text)


def read_file(option, text):
    read_directory(option, os.path.dirname(text) or '.')
    if os.path.isdir(text):
        fail(f'{option} {text}: is a directory')
    return os.path.abspath(text)


def read_new_directory(option, text):
    try:
        os.makedirs(text, exist_ok=True)
    except OSError as error:
        fail(f'{option} {text}: {error.strerror}')
    return read_directory(option, text)


READERS = {
    '--only': read_only, '--rivals': read_rivals, '--size': read_size, '--ram': read_size, '--rounds': read_count,
    '--seconds': read_seconds, '--json': read_file, '--svg': read_new_directory, '--swap': read_directory,
    '--uswap': lambda _, text: text, '--programs': lambda _, text: text,  # from the command itself
}


class Options:
    def __init__(self, arguments):
        self.only, self.rivals = workloads.choose(['default']), rivals.DEFAULT
        self.size, self.ram, self.rounds, self.seconds = 512 << 20, 0, 3, 1.0
        self.json = self.svg = None
        self.swap = '/var/tmp'
        self.list = False
        self.uswap = self.programs = ''
        self.read(list(arguments))
        self.check()

    def read(self, arguments):
        while arguments:
            name = arguments.pop(0)
            if name == '--list':
                self.list = True
                continue
            if name not in READERS:
                fail(f'{name}: no such option; see uswap bench --help')
            if not arguments:
                fail(f'{name}: the value is missing')
            setattr(self, name[2:], READERS[name](name, arguments.pop(0)))

    def check(self):
        if self.size < 16 << 20:
            fail('--size: at least 16M')
        least = min([self.ram] if self.ram else [self.size // w.part for w in self.only])
        if least < 8 << 20:
            fail(f'--{"ram" if self.ram else "size"}: leaves a limit of {least >> 10}K, and uswap needs 8M')
        free = os.statvfs(self.swap)
        if free.f_bavail * free.f_frsize < 3 * self.size:
            fail(f'--swap {self.swap}: less free space than three times --size')
