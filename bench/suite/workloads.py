# SPDX-License-Identifier: MIT
"""What is measured. Workloads with the same program, content and limit run in one process, a session."""
import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    name: str
    case: str
    unit: str          # GB/s, us or 1000/s of operations, s of a run
    label: str
    content: str = 'random'
    part: int = 4      # the limit is the size through this, unless --ram says another
    program: str = 'workload'
    default: bool = False

    @property
    def real(self):
        """A program that is not ours: one run of it, with an output, is all there is to measure."""
        return self.program in ('sort', 'sqlite3')

    @property
    def session(self):
        return self.program, self.content, self.part

    @property
    def anonymous(self):
        """Not for a mapping of a file, which parent and child would share."""
        return self.case == 'fork' or self.program != 'workload'


# case, unit, label, whether it is measured by default
CASES = [
    ('fill', 'GB/s', 'fill', True),
    ('seq-read', 'GB/s', 'sequential read', True),
    ('seq-write', 'GB/s', 'sequential write', False),
    ('seq-rw', 'GB/s', 'sequential read and write', True),
    ('backward', 'GB/s', 'backward read', False),
    ('strided', 'GB/s', 'strided read, each 16th page', False),
    ('rand-read', 'us', 'random read', True),
    ('rand-read-2', '1000/s', 'random read, 2 threads', False),
    ('rand-read-8', '1000/s', 'random read, 8 threads', True),
    ('rand-write', 'us', 'random write', True),
    ('rand-write-2', '1000/s', 'random write, 2 threads', False),
    ('rand-write-8', '1000/s', 'random write, 8 threads', True),
    ('hot', 'us', '90 % of reads to 10 % of pages', True),
    ('zipf', 'us', 'reads by Zipf 0.99', True),
    ('scan-hot', 'us', 'scan and a hot set that fits', True),
    ('loop', 'us', 'round and round through a little more than the limit', False),
    ('moving', 'us', 'a working set that moves', False),
    ('phases', 'us', 'phases, each with its own pages', False),
    ('fork', 'us', 'fork, 32 pages read in the child', False),
]
VARIED = ('fill', 'seq-read', 'seq-rw', 'rand-read', 'rand-read-8', 'hot', 'zipf')
# program, case, unit, label
OTHERS = [
    ('blocks', 'free', 'us', 'free of blocks, as they were made'),
    ('blocks', 'free-random', 'us', 'free of blocks, in any order'),
    ('blocks', 'churn', 'us', 'small blocks that come and go'),
    ('graph', 'bfs', 's', 'breadth-first search of a graph'),
    ('graph', 'pagerank', 's', 'PageRank of a graph'),
    ('matrix', 'matrix-naive', 'us', 'matrix multiply, naive: an element'),
    ('matrix', 'matrix-blocked', 'us', 'matrix multiply, blocked: a tile of 64 x 64'),
    ('redis', 'redis', '1000/s', 'redis, 90 % gets, 10 % sets, keys by Zipf 0.99'),
]
VARIATIONS = [  # suffix, content, part, remark, those measured by default
    ('typical', 'typical', 4, 'typical content', ('fill', 'seq-read', 'rand-read', 'rand-read-8')),
    ('high', 'high', 4, 'highly compressible', ()),
    ('half', 'random', 2, 'limit 1/2', ()),
    ('16th', 'random', 16, 'limit 1/16', ()),
]


def make_table():
    table = [Workload(case, case, unit, label, default=default) for case, unit, label, default in CASES]
    for suffix, content, part, remark, default in VARIATIONS:
        table += [Workload(f'{case}.{suffix}', case, unit, f'{label}; {remark}', content, part, default=case in default)
                  for case, unit, label, _ in CASES if case in VARIED]
    table += [Workload(case, case, unit, label, 'own', program=program) for program, case, unit, label in OTHERS]
    table += [Workload('sort', 'sort', 's', 'sort', 'own', program='sort'),
              Workload('sqlite3', 'sqlite3', 's', 'sqlite3, in memory', 'own', program='sqlite3', default=True)]
    return table


TABLE = make_table()


def choose(patterns):
    """By names with * and ?; 'default' and 'all' are groups. Raises KeyError with one that matches nothing."""
    chosen = set()
    for pattern in patterns:
        found = {w for w in TABLE if pattern == 'all' or pattern == 'default' and w.default or
                 fnmatch.fnmatchcase(w.name, pattern)}
        if not found:
            raise KeyError(pattern)
        chosen |= found
    return [w for w in TABLE if w in chosen]


def sessions(chosen):
    """Lists of workloads, each for one process."""
    groups = {}
    for workload in chosen:
        groups.setdefault(workload.session, []).append(workload)
    return list(groups.values())
