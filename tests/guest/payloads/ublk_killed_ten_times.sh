#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is killed ten times under load, and started again: its users notice nothing.
#: kernels 6.12
#: when all
#: timeout 600
#: programs fio
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

recovered_under_load 10
# shellcheck disable=SC2086
check "all of it is written and read afterwards" fio --output="$OUT/fio.after" --name=after $options
status_of rec
echo "remapped: $(field set.json remapped_sectors), lost: $(field set.json lost_sectors)"
equal "nothing was lost" "$(field set.json lost_sectors)" 0
check "it is stopped" dmremap stop rec
