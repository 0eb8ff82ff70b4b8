#!/bin/bash
# SPDX-License-Identifier: MIT
# ffmpeg makes pictures and sound, encodes them with threads, and decodes what it made.
. "$(dirname "$0")/lib.sh"
need ffmpeg
export AV_LOG_FORCE_NOCOLOR=1
seconds=$(pick 2 12 0.5)
common=(-v error -nostdin -bitexact -threads 2)
same_at_quarter ffmpeg "${common[@]}" -f lavfi -i "testsrc2=size=1280x720:rate=15:duration=$seconds" \
    -f lavfi -i "sine=frequency=440:duration=$seconds" -c:v mpeg2video -g 15 -b:v 4M -c:a ac3 \
    -filter_complex '[0:v]tblend,hqdn3d[v]' -map '[v]' -map 1:a -threads 2 -flags +bitexact -f mpegts -
cp "$work/swapped" "$work/video.ts"
same_at_quarter ffmpeg "${common[@]}" -i "$work/video.ts" -filter_complex '[0:v]reverse[v]' -map '[v]' -f framemd5 -
finish
