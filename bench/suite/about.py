# SPDX-License-Identifier: MIT
"""What a result must say of where it comes from."""
import os
import platform
import shutil
import subprocess
import time

import limits


def cpu():
    with open('/proc/cpuinfo') as file:
        return next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), platform.machine())


def version(*command):
    if not shutil.which(command[0]):
        return None
    out = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    return out.splitlines()[0] if out else None


def text(given, inputs):
    limit = f'limit {given.ram >> 20} MiB' if given.ram else 'limit as named, a quarter if none is'
    typical = f'; typical content compresses {inputs.ratio:.1f} to 1 by lz4' if inputs.ratio else ''
    return (f'set {given.size >> 20} MiB, {limit}; {given.rounds} rounds, {given.seconds:g} s a case; median ± half the range\n'
            f'Linux {platform.release()}, {os.cpu_count()} CPUs, {cpu()}{typical}\n'
            f'{given.swap} on {limits.device_of(given.swap)}; {time.strftime("%Y-%m-%d %H:%M %Z")}\n')


def record(benchmark):
    given = benchmark.given
    return {
        'uswap_bench': 1, 'date': time.strftime('%Y-%m-%dT%H:%M:%S%z'), 'kernel': platform.release(),
        'cpu': cpu(), 'cpus': os.cpu_count(), 'swap': given.swap, 'device': limits.device_of(given.swap),
        'versions': {'uswap': version(given.uswap, 'version'), 'fio': version('fio', '--version'),
                     'sqlite3': version('sqlite3', '--version'), 'redis': version('redis-server', '--version'),
                      'sort': version('sort', '--version'),
                     'python': platform.python_version()},
        'size': given.size, 'ram': given.ram, 'rounds': given.rounds, 'seconds': given.seconds,
        'typical_ratio': benchmark.inputs.ratio,
        'workloads': {w.name: {'label': w.label, 'unit': w.unit, 'content': w.content, 'limit_part': w.part}
                      for w in given.only},
        'skipped': benchmark.skipped, 'failed': benchmark.failed, 'runs': benchmark.results.runs,
    }
