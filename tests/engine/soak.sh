#!/bin/sh
# SPDX-License-Identifier: MIT
# Soak regions and a pool at the same time: each of these programs, for USWAP_SOAK seconds.
#
#     soak.sh PROGRAM...
export USWAP_SOAK="${USWAP_SOAK:-30}"
processes=
for program; do
    "$program" &
    processes="$processes $!"
done
status=0
for process in $processes; do
    wait "$process" || status=1
done
exit $status
