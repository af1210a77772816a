#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process is killed before every step of the start that makes, changes or removes a device. The next
# start serves the set, with all that was acknowledged.
#: kernels 6.12
#: timeout 900
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

crash_set
# 1 to 3 make set-main and 4 to 6 the target: made, loaded, live.
killed_before start 1 2 3 4 5 6
