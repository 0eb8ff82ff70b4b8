#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything works for a user without any privilege.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip 'only root can become somebody else'

chmod 755 "$work"
mkdir "$work/bin"
cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$TOOLS/workset" "$work/bin"
chown 65534:65534 "$work/swap"
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)

expect 'it is somebody else' [ "$("${as_nobody[@]}" id -u)" -eq 65534 ]
"${as_nobody[@]}" "$work/bin/uswap" run --ram 16M --swap "$work/swap:4G" \
    --stats "$work/swap/stats.json" -- "$work/bin/workset" 64
expect 'every word was right' [ $? -eq 0 ]
expect_swapped 'workset' "$work/swap/stats.json"
rm -f "$work/swap/stats.json"
expect 'nothing else is left in the swap directory' [ -z "$(ls -A "$work/swap")" ]
finish
