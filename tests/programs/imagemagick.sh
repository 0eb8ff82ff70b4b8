#!/bin/bash
# SPDX-License-Identifier: MIT
# ImageMagick makes, turns, blurs and scales an image.
. "$(dirname "$0")/lib.sh"
need convert-im6.q16
size=$(pick 2000x1400 6000x5000 1000x700)
same_at_quarter convert-im6.q16 -limit memory 8GiB -limit map 8GiB -limit thread 1 -size "$size" \
    gradient:red-blue -swirl 5 -flip -resize 70% -modulate 110,80 -depth 8 ppm:-
finish
