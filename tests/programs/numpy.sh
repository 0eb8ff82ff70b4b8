#!/bin/bash
# SPDX-License-Identifier: MIT
# Python with numpy: arrays that are sorted, multiplied, and gone through across their order; and one that
# Python's mmap gives it.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
"$python" -c 'import numpy' 2>/dev/null || skip 'numpy is not installed'
cat >"$work/program.py" <<'PY'
import hashlib, mmap, sys
import numpy

rows = int(sys.argv[1])
numbers = numpy.arange(rows * 1000, dtype=numpy.uint64).reshape(rows, 1000)
numbers *= 6364136223846793005
mapped = numpy.frombuffer(mmap.mmap(-1, numbers.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
                          dtype=numpy.uint64).reshape(rows, 1000)
mapped[:] = numbers[::-1] >> 7
numbers.sort(axis=1)
digest = hashlib.sha256()
for array in numbers.T[::50], mapped[::3], (numbers + mapped).sum(axis=0):
    digest.update(numpy.ascontiguousarray(array))
print(digest.hexdigest(), numpy.unique(numbers >> 40).size)
PY
same_at_quarter "$python" "$work/program.py" "$(pick 4000 40000)"
finish
