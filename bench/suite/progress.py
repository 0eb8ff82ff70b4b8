# SPDX-License-Identifier: MIT
"""One line that is rewritten on a terminal, else a line for each rival of a round."""
import sys
import time


class Progress:
    def __init__(self, rounds, sessions):
        self.rounds, self.sessions = rounds, sessions
        self.begin, self.last, self.round, self.done = time.monotonic(), None, 0, 0
        self.terminal = sys.stderr.isatty()

    def show(self, rival, case):
        line = f'round {self.round} of {self.rounds}, {self.done} of {self.sessions} sessions done: {rival}'
        if self.terminal:
            print(f'\r\033[K{line}, {case}, {time.monotonic() - self.begin:.0f} s', end='', file=sys.stderr, flush=True)
        elif line != self.last:
            print(line, file=sys.stderr, flush=True)
        self.last = line

    def clear(self):
        """Before other output."""
        if self.terminal:
            print('\r\033[K', end='', file=sys.stderr, flush=True)
