# SPDX-License-Identifier: MIT
"""The benchmark: uswap beside its rivals, same program, same disk, same limit of memory, in turns.

Each round runs every rival, every second round in reverse order, so that a drift of the machine meets all of them.
"""
import json
import os
import shutil
import signal
import sys

import about
import limits
import options
import progress
import programs
import results
import rivals
import session
import svg
import table
import undo
import workloads


def names(group):
    return ', '.join(w.name for w in group) if len(group) < 4 else f'{group[0].name} and others'


class Benchmark:
    def __init__(self, given):
        self.given = given
        self.place = f'{given.swap}/uswap-bench-{os.getpid()}'
        self.results = results.Results()
        self.skipped, self.failed = {}, {}
        self.groups = workloads.sessions(given.only)
        self.progress = progress.Progress(given.rounds, given.rounds * len(self.groups) * len(given.rivals))
        self.inputs = programs.Inputs(self.place, given.size)
        self.session = session.Session(given, self.inputs, self.progress)

    def measure(self):
        undo.sweep(self.given.swap)
        undo.later(self.place, lambda: shutil.rmtree(self.place))
        os.mkdir(self.place, 0o700)
        for number in range(1, self.given.rounds + 1):
            self.progress.round = number
            order = self.given.rivals if number % 2 else self.given.rivals[::-1]
            for group in self.groups:
                for name in order:
                    self.one(name, number, group)
                    self.progress.done += 1

    def one(self, name, number, group):
        rival = rivals.make(name, self.place, self.given.uswap)
        undo.check()
        if name in self.skipped:
            return
        try:
            self.results.add(name, number, self.session.run(rival, group))
        except limits.Missing as missing:
            whole = group[0].program == 'workload'
            self.skipped[name if whole else f'{names(group)} under {rivals.title(name)}'] = str(missing)
        except session.Failed as failed:
            self.failed[f'{names(group)} under {rivals.title(name)}'] = str(failed)
        for remark in rival.remarks:
            self.skipped.setdefault(f'lz4 of {name}', remark)

    def show(self):
        self.progress.clear()
        print(about.text(self.given, self.inputs))
        print(table.report(self.results, self.given.only, self.given.rivals))
        for name, why in self.skipped.items():
            print(f'skipped: {rivals.title(name)}: {why}')
        for name, why in self.failed.items():
            print(f'FAILED: {name}: {why}')
        if self.given.json:
            with open(self.given.json, 'w') as file:
                json.dump(about.record(self), file)
        if self.given.svg:
            svg.draw(self.results, self.given)


def main():
    given = options.Options(sys.argv[1:])
    if given.list:
        for w in workloads.TABLE:
            print(f'{w.name:22}{"default" if w.default else "":9}{w.label}')
        return 0
    benchmark = Benchmark(given)
    undo.watch_signals()
    try:
        benchmark.measure()
    except undo.Stopped:
        benchmark.progress.clear()
    finally:
        undo.undo()
    if undo.stopped:
        signal.signal(undo.stopped, signal.SIG_DFL)
        os.kill(os.getpid(), undo.stopped)
    benchmark.show()
    return 1 if benchmark.failed or not benchmark.results.runs else 0


sys.exit(main())
