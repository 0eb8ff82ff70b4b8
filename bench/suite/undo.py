# SPDX-License-Identifier: MIT
"""What is made is undone, whatever way the program ends but by SIGKILL.

Signals only set a flag and end the child that runs: nothing that is made can be torn in half, so each
step is either done and on the list, or not begun. What a killed run left is taken away by the next.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

steps = []   # (what, function), in the order in which they were done
stopped = 0  # the signal that asked to stop
children = set()


class Stopped(Exception):
    """A signal asked to stop."""


def later(what, function):
    steps.append((what, function))


def undo(down_to=0):
    while len(steps) > down_to:
        what, function = steps.pop()
        try:
            function()
        except (OSError, subprocess.SubprocessError) as error:
            print(f'uswap: bench: cannot undo {what}: {error}', file=sys.stderr)


def end(child):
    """A child and all in its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGKILL:
            break
    children.discard(child)


def on_signal(number, _frame):
    global stopped
    stopped = number
    for child in children:
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def check():
    if stopped:
        raise Stopped


def watch_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)


def run(*command):
    """A short command, which signals from the terminal do not reach. Its error, or None."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True, timeout=300)
    return None if result.returncode == 0 else result.stdout.strip() or f'exit code {result.returncode}'


def is_alive(pid):
    return os.path.exists(f'/proc/{pid}')


def sweep(directory):
    """Take away what runs left that were killed; their number is in each name."""
    for path in glob.glob(f'{glob.escape(directory)}/uswap-bench-*') + glob.glob('/sys/fs/cgroup/**/uswap-bench-*', recursive=True):
        number = re.search(r'uswap-bench-(\d+)$', path)
        if not number or is_alive(number[1]):
            continue
        if path.startswith('/sys/'):
            try:
                os.rmdir(path)
            except OSError:
                pass
            continue
        with open('/proc/swaps') as swaps:
            on = [line.split()[0] for line in swaps if line.startswith(path + '/')]
        if all(run('swapoff', file) is None for file in on):
            shutil.rmtree(path, ignore_errors=True)
