#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The machine sleeps and wakes ten times under load on a set by ublk: no freeze
# fails, no request either, and the set goes on.
#: kernels 6.12
#: when all
#: timeout 1200
#: append hpet=disable
#: programs fio
#: packages systemd
#: files {source}/tests/guest/suspend.sh {source}/packaging/dm-remap.sleep {source}/tests/guest/target.sh
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh
# shellcheck source=../suspend.sh
. ./suspend.sh

set_under_load ublk
suspended 10
load_is_right
