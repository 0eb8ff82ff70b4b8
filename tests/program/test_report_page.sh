#!/bin/bash
# SPDX-License-Identifier: MIT
# The page of a trace in a real browser. With PICTURES=DIRECTORY in the environment, `looks` leaves pictures of it there.
#
#     test_report_page.sh drawn    it opens without errors, the plots are drawn, and keys read them
#     test_report_page.sh looks    in light and in dark there is something to see
. "$(dirname "$0")/lib.sh"
unset USWAP_TRACE
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    skip 'there is no chromium'

# browse OPTION...: the page, in a profile of its own.
browse() {
    timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
        --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$work/profile" --virtual-time-budget=5000 \
        --enable-logging=stderr --v=0 "$@" "file://$work/t.html"
}
count() { grep -o -- "$1" "$work/dom" | wc -l; }

"$USWAP" run --ram 12M --swap "$work/swap:1G" --trace "$work/t" -- "$TOOLS/workset" 20 >"$work/out"
"$USWAP" report "$work/t" -o "$work/t.html" >"$work/out"
expect 'the page is made' [ -s "$work/t.html" ]
expect_not 'it takes nothing from the network' grep -qE '(src|href)="?(https?:)?//' "$work/t.html"

test_drawn() {
    # With keys alone: each plot has a cursor, and says what is there.
    cat >>"$work/t.html" <<'END'
<script>for (const p of document.querySelectorAll(".plot")) { p.focus(); for (const key of ["ArrowRight", "End", "ArrowLeft"])
    p.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})); }</script>
END
    browse --dump-dom >"$work/dom" 2>"$work/log"
    expect 'the browser shows it' grep -q 'data-ready="yes"' "$work/dom"
    expect_not 'no error on the console' grep -E 'CONSOLE|Uncaught|SyntaxError' "$work/log"
    expect 'five plots' [ "$(count '<svg ')" -eq 5 ]
    expect 'the curve is drawn, in two parts' [ "$(count 'class="curve"')" -eq 2 ]
    expect 'three tiers of memory' [ "$(count 'class="area"')" -eq 3 ]
    expect 'the heat maps have shades' [ "$(count 'class="heat"')" -ge 6 ]
    expect 'the histogram has bars' [ "$(count 'class="bar"')" -gt 10 ]
    expect 'nine tables' [ "$(count '<table>')" -eq 9 ]
    expect 'every plot and table has the focus in its turn' [ "$(count 'tabindex="0"')" -eq 14 ]
    expect_not 'all numbers are numbers' grep -oE 'NaN|undefined|\[object|Infinity' <(sed 's/<script>.*//; /^"use strict"/,$d' "$work/dom")
    expect 'the arrow keys read all plots' [ "$(count 'class="readout" aria-live="polite">[^<]')" -eq 5 ]
}

# Of a program that did nothing, or whose trace was cut off where it began.
test_empty() {
    head -c 512 "$work/t" >"$work/cut"
    "$USWAP" report "$work/cut" -o "$work/t.html" >"$work/out"
    browse --dump-dom >"$work/dom" 2>"$work/log"
    expect 'a trace without events is shown' grep -q 'data-ready="yes"' "$work/dom"
    expect_not 'no error on the console' grep -E 'CONSOLE|Uncaught|SyntaxError' "$work/log"
    expect 'with what it has' grep -q 'Nothing was touched' "$work/dom"
}

# A screenshot of each kind is not empty, and dark is darker.
mean() {
    python3 - "$1" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
width, height, depth, color = struct.unpack('>IIBB', data[16:26])
raw, at = b'', 8
while at < len(data):
    size, kind = struct.unpack('>I4s', data[at:at + 8])
    raw += data[at + 8:at + 8 + size] if kind == b'IDAT' else b''
    at += 12 + size
channels = {2: 3, 6: 4}[color]
stride, pixels, before, total = width * channels, zlib.decompress(raw), bytearray(width * channels), 0
for y in range(height):
    kind, line = pixels[y * (stride + 1)], bytearray(pixels[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
    for x in range(stride):
        a = line[x - channels] if x >= channels else 0
        b, c = before[x], before[x - channels] if x >= channels else 0
        p = a + b - c
        nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[x] = (line[x] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
    before = line
    total += sum(line[0::channels])
print(total // (width * height))
END
}
test_looks() {
    browse --window-size=400,700 --screenshot="$work/light.png" >"$work/out" 2>"$work/log"
    browse --window-size=400,700 --blink-settings=preferredColorScheme=0 --screenshot="$work/dark.png" >"$work/out" 2>"$work/log2"
    light=$(mean "$work/light.png")
    dark=$(mean "$work/dark.png")
    echo "   brightness: light $light, dark $dark"
    expect 'light is bright' [ "$light" -gt 180 ]
    expect 'dark is dark' [ "$dark" -lt 70 ]
    expect 'neither is empty' [ "$(stat -c %s "$work/light.png")" -gt 10000 ]
    if [ -n "${PICTURES:-}" ]; then
        browse --window-size=1100,3900 --screenshot="$PICTURES/light.png" 2>"$work/log"
        browse --window-size=1100,3900 --blink-settings=preferredColorScheme=0 --screenshot="$PICTURES/dark.png" 2>"$work/log"
        browse --window-size=500,2600 --screenshot="$PICTURES/phone.png" 2>"$work/log"
    fi
}

test_"$1"
[ "$1" = looks ] || test_empty
finish
