#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set that is served by the kernel target is killed under load, and started again: no
# request fails, and none reads something else. Main fails meanwhile, and sectors of it move.
#: kernels 6.12
#: when all
#: timeout 1800
#: programs fio
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

killed_under_load 10
check "it is stopped" dmremap stop rec
