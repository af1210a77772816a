#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What comes after all those still has its result.
#: timeout 120
. ../lib.sh

echo "printed" && echo "kept" > "$OUT/file"
