# SPDX-License-Identifier: MIT
"""Runs one session of one rival and gives back what it measured, as dictionaries."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import limits
import programs
import undo

LEAST = 8 << 20  # the smallest budget that uswap takes
SOCKET_MOST = 107  # bytes of the path of a Unix socket
TIMEOUT = 900  # seconds that a session may take


class Failed(Exception):
    """It ran, and ended wrong."""


class Session:
    def __init__(self, options, inputs, progress):
        self.options, self.inputs, self.progress = options, inputs, progress

    def limit(self, workload):
        limit = self.options.ram or self.options.size // workload.part
        return max(limit // programs.PART, LEAST) if workload.real else limit

    def run(self, rival, group):
        """Measurements of the workloads of a group under a rival."""
        first = group[0]
        size = self.inputs.size if first.real else self.options.size
        steps = len(undo.steps)
        try:
            if rival.takes not in ('all', first.program):
                raise limits.Missing(rival.lacks)
            prefix = rival.open(self.limit(first), size)
            undo.check()
            if rival.name == 'device':
                return self.device(group, rival.place)
            if first.real:
                return [self.program(rival, prefix, first)]
            return self.cases(rival, prefix, group)
        finally:
            undo.undo(steps)

    # ---- our programs, whose lines are measurements ----

    def cases(self, rival, prefix, group):
        group = [w for w in group if not (rival.name == 'mmap' and w.anonymous)]
        if not group:
            return []
        first, cases = group[0], [w.case for w in group]
        if first.program == 'workload' and 'fill' not in cases:
            cases.insert(0, 'fill')
        command = [f'{self.options.programs}/{first.program}', '--size', str(self.options.size),
                   '--seconds', str(self.options.seconds), '--cases', ','.join(cases)]
        if first.program == 'workload':
            command += self.of_workload(rival, first)
        if first.program == 'redis':
            lines, beside = self.with_server(rival, prefix, command, cases)
        else:
            lines, beside = self.watch(rival, [*prefix, *command], cases)
        by_case = {line['case']: line for line in lines}
        for line in lines:
            if 'check' in line:
                self.inputs.expect(line['case'], line['check'], Failed)
        return [{**by_case[w.case], 'workload': w.name, 'beside_bytes': beside} for w in group]

    def of_workload(self, rival, first):
        """Options that no other program has."""
        limit = self.limit(first)
        corpus = ['--corpus', self.inputs.corpus()] if first.content == 'typical' else []
        return ['--ram', str(limit), '--content', first.content, *corpus, *rival.arguments(limit)]

    def with_server(self, rival, prefix, client, cases):
        """redis-server within the limit, beside a client without one."""
        socket = f'{rival.place}/redis'
        if not shutil.which('redis-server'):
            raise limits.Missing('redis-server is not installed')
        if len(socket) > SOCKET_MOST:
            raise limits.Missing(f'{socket} is too long for the name of a socket')
        command = ['redis-server', '--port', '0', '--unixsocket', socket, '--dir', rival.place, '--save', '', '--appendonly', 'no']
        with tempfile.TemporaryFile('w+') as out:
            server = self.start([*prefix, *command], out, out)
            try:
                return self.watch(rival, [*client, '--socket', socket], cases)
            except Failed:
                if server.poll() is not None:
                    self.finish(server, out)  # which says why the client has failed
                raise
            finally:
                undo.end(server)

    def watch(self, rival, command, cases):
        """Wait for it; what it has finished shows in the progress line."""
        beside = 0
        with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
            child = self.start(command, out, err)
            begin = time.monotonic()
            while child.poll() is None and not undo.stopped and time.monotonic() - begin < TIMEOUT:
                self.keep(rival, child)
                beside = max(beside, rival.beside())
                done = self.lines_of(out)
                if len(done) < len(cases):
                    self.progress.show(rival.title, cases[len(done)])
                time.sleep(0.05)
            self.finish(child, err)
            return [json.loads(line) for line in self.lines_of(out)], beside

    @staticmethod
    def keep(rival, child):
        try:
            rival.keep(child)
        except limits.Missing:
            undo.end(child)
            raise

    @staticmethod
    def lines_of(out):
        text = os.pread(out.fileno(), 1 << 26, 0).decode()
        return [line for line in text.split('\n')[:-1] if line]

    @staticmethod
    def start(command, out, err):
        undo.check()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                                 env={**os.environ, 'LC_ALL': 'C'})
        undo.children.add(child)
        return child

    @staticmethod
    def finish(child, err):
        late = child.poll() is None
        undo.end(child)
        undo.check()
        err.seek(0)
        lines = err.read().strip().splitlines()
        if late:
            raise Failed(f'took more than {TIMEOUT} s')
        if child.returncode == -9:
            raise Failed('was killed, by the kernel if by nobody else: no memory within the limit')
        if child.returncode:
            raise Failed(f'ended with {child.returncode}: {lines[-1] if lines else "no message"}')

    # ---- a real program, whose output must be the same each time ----

    def program(self, rival, prefix, workload):
        command = self.inputs.command(workload.program)
        self.progress.show(rival.title, workload.name)
        beside, digest = 0, hashlib.sha256()
        with tempfile.TemporaryFile('w+') as err:
            begin = time.monotonic()
            child = self.start([*prefix, *command], subprocess.PIPE, err)
            while block := child.stdout.read1(1 << 20):
                digest.update(block)
                self.keep(rival, child)
                beside = max(beside, rival.beside())
            child.stdout.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - begin
            self.finish(child, err)
        self.inputs.expect(workload.program, digest.hexdigest(), Failed)
        return {'case': workload.case, 'workload': workload.name, 'ops': 1, 'bytes': 0, 'ns': int(seconds * 1e9),
                'rss_peak_bytes': usage.ru_maxrss * 1024, 'beside_bytes': beside}

    # ---- the device ----

    JOBS = {  # case: block, options
        'fill': (1 << 20, ['--rw=write', '--ioengine=libaio', '--iodepth=4']),
        'seq-read': (1 << 20, ['--rw=read', '--ioengine=libaio', '--iodepth=4']),
        'rand-read': (4096, ['--rw=randread', '--ioengine=psync']),
        'rand-read-2': (4096, ['--rw=randread', '--ioengine=psync', '--numjobs=2']),
        'rand-read-8': (4096, ['--rw=randread', '--ioengine=psync', '--numjobs=8']),
    }

    def device(self, group, place):
        cases = [w for w in group if w.case in self.JOBS and w.content == 'random' and w.part == 4]
        path = f'{place}/fio'
        undo.later('a file of fio', lambda: os.path.exists(path) and os.unlink(path))
        return [self.device_case(w, path) for w in cases]

    def device_case(self, workload, path):
        block, job = self.JOBS[workload.case]
        command = ['fio', f'--name={workload.case}', f'--filename={path}', f'--size={self.options.size}', '--direct=1',
                   f'--bs={block}', '--time_based', f'--runtime={max(1, round(self.options.seconds))}',
                   '--ramp_time=0.3', '--thread', '--group_reporting', '--randrepeat=0', '--output-format=json', *job]
        self.progress.show('device (fio)', workload.name)
        with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
            child = self.start(command, out, err)
            while child.poll() is None and not undo.stopped:
                time.sleep(0.05)
            self.finish(child, err)
            out.seek(0)
            text = out.read()
        job = json.loads(text[text.index('{'):])['jobs'][0]
        side = job['write' if job['write']['total_ios'] else 'read']
        percentiles = side['clat_ns'].get('percentile', {})
        return {'case': workload.case, 'workload': workload.name, 'ops': side['total_ios'], 'bytes': side['io_bytes'],
                'ns': side['runtime'] * 1000000, 'p50_ns': percentiles.get('50.000000'),
                'p99_ns': percentiles.get('99.000000'), 'p999_ns': percentiles.get('99.900000')}
