#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# identical.sh DIRECTORY: builds the packages once more, elsewhere, under other circumstances and with no
# help of a compiler cache, and compares what came out with those in DIRECTORY, byte by byte.
set -euo pipefail
first=$(realpath "$1")
top=$(realpath "$(dirname "$0")/../../..")
work=$(mktemp -d)
differs() {
  echo "the second build is kept in $work"
  exit 1
}

# What a build is not to depend on: its place, the time zone, the language, the user's mask and home.
(
  umask 077
  unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER
  TZ=Pacific/Kiritimati LC_ALL=C HOME=/nonexistent CCACHE_DISABLE=1 \
    "$top/tools/deb" "$work/another-place" > /dev/null
) || differs
second=$work/another-place  # dpkg maps no file names where a path has spaces
compared=0
for file in "$first"/*.deb "$first"/*.tar.xz "$first"/*.dsc; do
  cmp "$file" "$second/$(basename "$file")" || differs
  compared=$((compared + 1))
done
[ "$(find "$second" -name '*.deb' | wc -l)" -eq "$(find "$first" -name '*.deb' | wc -l)" ] || differs
[ "$compared" -ge 6 ] || differs
rm -rf "$work"
echo "$compared files are identical in two builds"
