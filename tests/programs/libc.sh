#!/bin/bash
# SPDX-License-Identifier: MIT
# What libc does with memory from malloc; see libc.c.
. "$(dirname "$0")/lib.sh"
same_at_quarter "$PROGRAMS/libc" "$(pick 30 60)"
finish
