# SPDX-License-Identifier: MIT
"""Misses of sequences that were gone through by hand, and what must hold for any."""
import os
import random
import subprocess
import sys
import tempfile
import unittest

REPLAY = sys.argv.pop()


def run(*arguments, stdin=''):
    return subprocess.run([REPLAY, *arguments], input=stdin, capture_output=True, text=True, timeout=50)


class Replay(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def file(self, name, text=''):
        path = os.path.join(self.place.name, name)
        with open(path, 'w') as file:
            file.write(text)
        return path

    def misses(self, text, memory, policies):
        """How many touches of a page that had been touched before found it gone, by each policy."""
        count = len(text.split())
        done = run('--limit', str(memory), '--policies', policies, self.file('trace', text))
        self.assertEqual(done.returncode, 0, done.stderr)
        return [round(float(part) * count / 100) for part in done.stdout.splitlines()[1].split()[3:]]

    # 1 2 3 4 are in memory, then 5 comes: LRU loses 1, which is next, and so all five in turn; MIN loses the one
    # that was just used, 4 of each 5 touches stay.
    def test_a_loop_of_one_page_too_many(self):
        self.assertEqual(self.misses('1 2 3 4 5 ' * 5, 4, 'LRU,MIN'), [20, 5])

    # Belady's own anomaly sequence, memory for 4: 1 2 3 4 1 2 5 1 2 3 4 5. LRU: 5 pushes 3 out; 3 pushes 4 out; 4
    # pushes 5 out; 5 pushes 1 out: 3 misses. MIN: 5 pushes 4 out (the last to be used); 4 misses: 1.
    def test_a_sequence_of_textbooks(self):
        self.assertEqual(self.misses('1 2 3 4 1 2 5 1 2 3 4 5', 4, 'LRU,MIN'), [3, 1])

    # 1 and 2 are touched again before the hand comes by, 3 and 4 are not: 5 pushes 3 out, 6 pushes 4 out.
    def test_clock_gives_a_second_chance(self):
        self.assertEqual(self.misses('1 2 3 4 1 2 5 6 1 2', 4, 'CLOCK'), [0])
        self.assertEqual(self.misses('1 2 3 4 1 2 5 6 3 4', 4, 'CLOCK'), [2])

    # A scan of 40 pages between two rounds of a hot set of 4, of which each was touched after it had left once: 2Q,
    # S3-FIFO and ARC keep the hot set, LRU and CLOCK do not.
    def test_who_resists_a_scan(self):
        hot = '1 2 3 4 '
        learn = hot * 3 + '10 11 12 13 14 15 16 ' + hot * 4
        scan = ' '.join(str(page) for page in range(100, 140))
        before = self.misses(learn, 8, 'LRU,2Q,S3-FIFO,ARC')
        after = self.misses(learn + scan + ' ' + hot, 8, 'LRU,2Q,S3-FIFO,ARC')
        self.assertEqual([b - a for a, b in zip(before, after)], [4, 0, 0, 0])

    def test_the_optimum_is_least(self):
        numbers = random.Random(7)
        text = ' '.join(f'{int(numbers.paretovariate(0.6)) % 300}{numbers.choice(["", "w"])}' for _ in range(20000))
        for memory in (8, 50, 150):
            least, *others = self.misses(text, memory, 'MIN,LRU,CLOCK,2Q,S3-FIFO,ARC,uswap/reserve=0,uswap/reserve=0/drop=0')
            self.assertGreater(least, 0)
            for other in others:
                self.assertGreaterEqual(other, least)

    def test_all_fits(self):
        text = '1 2 3 4 5 6 7 8 ' * 10
        self.assertEqual(self.misses(text, 8, 'MIN,LRU,CLOCK,2Q,S3-FIFO,ARC,uswap/reserve=0'), [0] * 7)

    # As many masked as resident, memory for 4: 5 masks 1 and 2, and 1 leaves. Touched, 2 is found masked and is hot
    # then, so 6 takes others. Without masks 2 leaves when 6 comes.
    def test_the_mask_is_a_second_chance(self):
        text = '1w 2w 3w 4w 5w 2w 6w 2w'
        self.assertEqual(self.misses(text, 4, 'uswap/reserve=0/masked=0,uswap/reserve=0/masked=1'), [1, 0])
        self.assertEqual(self.misses(text + ' 1w', 4, 'uswap/reserve=0/masked=1'), [1])

    # The same; 1 comes back by a read and is clean. By 8 it is the oldest: it is dropped, or is masked and found so.
    def test_a_clean_page_has_no_second_chance(self):
        text = '1w 2w 3w 4w 5w 1 6w 7w 8w 1'
        as_is = 'uswap/reserve=0/masked=1/near=0'
        self.assertEqual(self.misses(text, 4, f'{as_is},{as_is}/drop=0'), [2, 1])

    def test_lackey_is_read(self):
        path = self.file('recorded')
        lines = '==1== Lackey\nI  00400000,3\n L 00001008,8\n L 00001010,8\n S 00001010,8\n M 00005000,4\n L 00001000,8\n'
        done = run('--record', path, stdin=lines)
        self.assertEqual(done.stderr, '3 accesses\n')  # read 1, write 1, write 5
        table = run('--limit', '8', path).stdout.splitlines()[1].split()
        self.assertEqual(table[:3], ['recorded', '2', '8'])

    def test_what_is_wrong_is_said(self):
        for arguments in (['--policies', 'LRV', 'zipf'], ['--policies', 'uswap/cold=x', 'zipf'], [], ['--limit', 'x', 'zipf']):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn('usage', done.stderr)
        self.assertNotEqual(run('--limit', '8', self.file('empty')).returncode, 0)
        self.assertNotEqual(run('--limit', '8', self.file('wrong', '1 2 x')).returncode, 0)


if __name__ == '__main__':
    unittest.main()
