# SPDX-License-Identifier: MIT
"""Typical content: pages of a real heap, recorded from a Python process that holds records of several kinds.

Recorded anew by each session, for it takes a second and needs no binary in the tree. How well it compresses is
measured with what zram, zswap and most others use, lz4 over single pages, and stands in the results.
"""
import builtins
import ctypes
import ctypes.util
import os
import random
import subprocess
import sys

PAGE = 4096
CHUNK = 16 * PAGE   # neighbours stay together, as they would leave memory together
CORPUS = 512 * PAGE # small enough to stay in the cache of the CPU beside what is measured


def build_heap():
    """About 100 MiB of what programs keep: records, texts, numbers, an index."""
    random.seed(1)
    words = ' '.join(str(value.__doc__) for value in vars(builtins).values()).split()
    records = [{'id': i, 'name': ' '.join(random.choices(words, k=2)), 'score': random.random(),
                'tags': random.choices(words, k=3), 'parent': random.randrange(100000)} for i in range(60000)]
    texts = [' '.join(random.choices(words, k=random.randint(10, 120))) for _ in range(30000)]
    points = [(random.gauss(0, 1), random.gauss(0, 1), i) for i in range(150000)]
    index = {record['name']: record for record in records}
    return records, texts, points, index


def dump_heap(path):
    """Write chunks from all over this process's anonymous memory; those that were never used are left out."""
    kept = build_heap()
    chunks = []
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb') as memory:
        for line in maps:
            fields = line.split()
            if fields[1] != 'rw-p' or fields[4] != '0' or fields[5:] not in ([], ['[heap]']):
                continue
            start, end = (int(x, 16) for x in fields[0].split('-'))
            if end - start < 4 * CHUNK or end - start > 1 << 28:
                continue
            memory.seek(start)
            content = memory.read(end - start)
            chunks += [content[i:i + CHUNK] for i in range(0, len(content) - CHUNK, CHUNK)]
    chunks = [chunk for chunk in chunks
              if all(chunk[i:i + PAGE].strip(b'\0') for i in range(0, CHUNK, PAGE))]
    with open(path, 'wb') as file:
        for chunk in random.sample(chunks, CORPUS // CHUNK):
            file.write(chunk)
    return kept


def record(path):
    subprocess.run([sys.executable, '-B', os.path.abspath(__file__), path], check=True,
                   env={**os.environ, 'PYTHONHASHSEED': '0'}, timeout=120)


def lz4_ratio(data):
    """Bytes before and after lz4, page by page; None without liblz4."""
    name = ctypes.util.find_library('lz4')
    if not name:
        return None
    lz4 = ctypes.CDLL(name)
    out = ctypes.create_string_buffer(2 * PAGE)
    sizes = [lz4.LZ4_compress_default(data[i:i + PAGE], out, PAGE, 2 * PAGE) for i in range(0, len(data), PAGE)]
    return len(data) / sum(min(size, PAGE) for size in sizes)


if __name__ == '__main__':
    dump_heap(sys.argv[1])
