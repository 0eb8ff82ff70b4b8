#!/bin/bash
# SPDX-License-Identifier: MIT
# gnuplot draws many points, a smoothed curve and a surface.
. "$(dirname "$0")/lib.sh"
need gnuplot
points=$(pick 60000 600000 10000)
every=$((points / $(pick 10000 20000 5000))) # gnuplot needs 9 s to make 60,000 points unique, 40 s for 150,000
awk -v n="$points" 'BEGIN { for (i = 0; i < n; i++) print i, sin(i / 1000) * 100 + i * 7919 % 101 }' >"$work/points"
cat >"$work/in" <<PLOT
set terminal pngcairo size 1200,800
set dummy x
plot '$work/points' with dots, '' every $every smooth unique with lines, '' smooth csplines
stats '$work/points' nooutput
print STATS_mean_y, STATS_stddev_y
set terminal svg
set isosamples 120
splot sin(x) * cos(y) with lines
PLOT
same_at_quarter gnuplot -
finish
