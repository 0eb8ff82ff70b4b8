#!/bin/bash
# SPDX-License-Identifier: MIT
# ImageMagick makes, turns, blurs and scales an image.
. "$(dirname "$0")/lib.sh"
need convert-im6.q16
size=$(pick 1400x1000 5000x4000)
same_at_quarter convert-im6.q16 -limit memory 8GiB -limit map 8GiB -limit thread 2 -size "$size" -seed 7 \
    plasma:red-blue -rotate 30 -blur 0x2 -resize 70% -modulate 110,80 -depth 8 ppm:-
finish
