# SPDX-License-Identifier: MIT
"""Measurements of all rounds: medians, spreads, ratios."""
import statistics


def speed(run):
    """More is better: operations a second."""
    return run['ops'] / run['ns'] * 1e9


def shown(unit, run):
    """In the unit of the workload."""
    if unit == 'GB/s':
        return run['bytes'] / run['ns']
    if unit == '1000/s':
        return speed(run) / 1e3
    return run['ns'] / run['ops'] / (1e9 if unit == 's' else 1e3)


class Results:
    def __init__(self):
        self.runs = []

    def add(self, rival, number, measured):
        self.runs += [{'rival': rival, 'round': number, **run} for run in measured if run['ns'] and run['ops']]

    def of(self, workload, rival):
        return [run for run in self.runs if run['workload'] == workload.name and run['rival'] == rival]

    def values(self, workload, rival):
        return [shown(workload.unit, run) for run in self.of(workload, rival)]

    def median(self, workload, rival):
        values = self.values(workload, rival)
        return statistics.median(values) if values else None

    def spread(self, workload, rival):
        """Half of what lies between the lowest and the highest, in parts of the median."""
        values = self.values(workload, rival)
        return (max(values) - min(values)) / 2 / statistics.median(values) if len(values) > 1 else None

    def ratio(self, workload, ours, rival):
        """How many times as fast ours is."""
        mine, theirs = self.median(workload, ours), self.median(workload, rival)
        if not mine or not theirs:
            return None
        return theirs / mine if workload.unit in ('us', 's') else mine / theirs

    def largest(self, rival, field):
        return max((run.get(field) or 0 for run in self.runs if run['rival'] == rival), default=0)

    def percentile(self, workload, rival, field):
        values = [run[field] for run in self.of(workload, rival) if run.get(field)]
        return statistics.median(values) / 1e3 if values else None
