#!/bin/sh
# SPDX-License-Identifier: MIT
# Make the private copy of jemalloc: jemalloc.sh LIBJEMALLOC_PIC_A REDIRECT OUTPUT OBJCOPY NM AR CC...
#
# All objects but the C++ operators become one; the public functions get the prefix je_, everything
# else turns local but for what jemalloc.h declares, and the libc functions named in REDIRECT become
# ours.
set -eu

archive=$(realpath "$1") redirect=$(realpath "$2") output=$(realpath -m "$3")
objcopy=$4 nm=$5 ar=$6
shift 6

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$ar" x "$archive"
rm -f jemalloc_cpp.*
"$@" -r -nostdlib -o all.o ./*.o

"$nm" -g --defined-only all.o | awk '$3 !~ /^(je_|_)/ { print $3 }' >public
{ cat "$redirect"; awk '{ print $1, "je_" $1 }' public; } >redefine
{
    awk '{ print "je_" $1 }' public
    printf '%s\n' je_jemalloc_prefork je_jemalloc_postfork_parent je_jemalloc_postfork_child \
        je_arenas je_arena_basic_stats_merge je_arena_init je_arena_migrate je_opt_cache_oblivious je_tsd_tls
} >keep

"$objcopy" --strip-debug --redefine-syms=redefine all.o renamed.o
"$objcopy" --keep-global-symbols=keep renamed.o jemalloc.o
rm -f "$output"
"$ar" rcsD "$output" jemalloc.o
