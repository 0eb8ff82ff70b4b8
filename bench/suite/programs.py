# SPDX-License-Identifier: MIT
"""What sessions read: a recorded heap, the input of real programs. Made when first asked for, outside of all limits."""
import os
import random
import shutil

import heap
import limits

# How much memory the programs need, measured without a limit, follows from these.
PART = 8
SORT_LINE = 100      # bytes; sort needs about 1.5 times its input
SQLITE_ROW = 205     # bytes a row, with its index

SQL = '''
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO t SELECT i, (i * 7919) % 400009, printf('value %0100d', i) FROM n;
CREATE INDEX tk ON t(k);
SELECT k, v FROM t ORDER BY k LIMIT 5 OFFSET {half};
SELECT substr(v, -3), count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 20;
SELECT sum(length(a.v) + b.k) FROM t a JOIN t b ON b.id = (a.k * 31) % {rows} + 1 WHERE a.id % 50 = 0;
'''


def own_size(size):
    """Real programs get an eighth of the set: they use a page many times."""
    return max(size // PART, 32 << 20)


class Inputs:
    def __init__(self, directory, size):
        self.directory, self.size = directory, own_size(size)
        self.ratio = None      # of the recorded heap, by lz4
        self.digests = {}

    def corpus(self):
        path = f'{self.directory}/corpus'
        if not os.path.exists(path):
            heap.record(path)
            with open(path, 'rb') as file:
                self.ratio = heap.lz4_ratio(file.read())
        return path

    def command(self, program):
        if not shutil.which(program):
            raise limits.Missing(f'{program} is not installed')
        return getattr(self, program)()

    def sort(self):
        path = f'{self.directory}/lines'
        if not os.path.exists(path):
            draw = random.Random(1)
            with open(path, 'w') as file:
                for i in range(self.size * 2 // 3 // SORT_LINE):
                    file.write(f'{draw.getrandbits(64):020d} some text that fills the line, as records have it {i:031d}\n')
        return ['sort', '-S', str(2 * self.size), '--parallel=2', path]

    def sqlite3(self):
        path = f'{self.directory}/sql'
        rows = self.size // SQLITE_ROW
        with open(path, 'w') as file:
            file.write(SQL.format(rows=rows, half=rows // 2))
        return ['sqlite3', '-init', path, ':memory:', '.quit']

    def expect(self, program, digest, failed):
        """All runs of a program have the same output."""
        if self.digests.setdefault(program, digest) != digest:
            raise failed('its output differs from that of the other runs')
