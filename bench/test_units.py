# SPDX-License-Identifier: MIT
"""Medians, ratios, tables, plots and the choice of workloads, from made-up measurements."""
import os
import sys
import tempfile
import types
import unittest
import xml.dom.minidom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'suite'))
import results  # noqa: E402
import svg  # noqa: E402
import table  # noqa: E402
import workloads  # noqa: E402


def run(workload, ns, ops=1000, **more):
    return {'workload': workload, 'case': workload, 'ops': ops, 'bytes': ops * 4096, 'ns': ns, **more}


class Units(unittest.TestCase):
    def setUp(self):
        self.results = results.Results()
        for number, (ours, theirs) in enumerate([(1e6, 4e6), (3e6, 2e6), (2e6, 9e6)]):
            self.results.add('uswap', number, [run('rand-read', ours, latency=[[900, 600], [70000, 400]], interval_ns=20000000,
                                                   intervals=[10, 0, 30], p50_ns=900, p99_ns=70000, p999_ns=70000)])
            self.results.add('kernel', number, [run('rand-read', theirs)])
        self.read, self.scan = workloads.choose(['rand-read'])[0], workloads.choose(['seq-read'])[0]

    def test_median_and_spread(self):
        self.assertEqual(self.results.median(self.read, 'uswap'), 2.0)
        self.assertEqual(self.results.spread(self.read, 'uswap'), 0.5)
        self.assertIsNone(self.results.median(self.read, 'zram'))

    def test_ratio_is_of_speeds(self):
        self.assertEqual(self.results.ratio(self.read, 'uswap', 'kernel'), 2.0)
        self.results.add('uswap', 0, [run('seq-read', 1e6)])
        self.results.add('kernel', 0, [run('seq-read', 4e6)])
        self.assertEqual(self.results.ratio(self.scan, 'uswap', 'kernel'), 4.0)
        self.assertIsNone(self.results.ratio(self.scan, 'uswap', 'zram'))

    def test_runs_without_operations_do_not_count(self):
        self.results.add('zram', 0, [run('rand-read', 0, 0)])
        self.assertIsNone(self.results.median(self.read, 'zram'))

    def test_table_is_rectangular(self):
        text = table.report(self.results, [self.read, self.scan], ['uswap', 'kernel', 'zram'])
        self.assertIn('2.00 ±50%', text)
        self.assertNotIn('zram', text)
        for part in text.split('\n\n'):
            self.assertEqual(len({line.count('|') for line in part.split('\n')}), 1)
        self.assertEqual(table.report(results.Results(), [self.read], ['uswap']), 'nothing was measured')

    def test_plots_are_xml(self):
        with tempfile.TemporaryDirectory() as directory:
            svg.draw(self.results, types.SimpleNamespace(svg=directory, only=[self.read], rivals=['uswap', 'kernel']))
            names = sorted(os.listdir(directory))
            self.assertEqual(names, ['latency-rand-read.svg', 'speed.svg', 'time-rand-read.svg'])
            for name in names:
                text = xml.dom.minidom.parse(os.path.join(directory, name)).toxml()
                self.assertNotIn('nan', text)

    def test_sessions_share_program_content_and_limit(self):
        names = [w.name for w in workloads.TABLE]
        self.assertEqual(len(names), len(set(names)))
        groups = workloads.sessions(workloads.choose(['fill*', 'seq-read*']))
        self.assertEqual([[w.name for w in group] for group in groups][0], ['fill', 'seq-read'])
        self.assertEqual(len(groups), 5)
        with self.assertRaises(KeyError):
            workloads.choose(['fill', 'fil'])


unittest.main()
