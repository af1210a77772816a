#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Without the script that freezes users first, the machine does not sleep under load on a set, sooner or later:
# so the other payloads of this name can fail. That harms neither the set nor its users.
#: kernels 6.12
#: when all
#: timeout 1800
#: append hpet=disable
#: programs fio
#: files {source}/tests/guest/suspend.sh {source}/packaging/dm-remap.sleep {source}/tests/guest/target.sh
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh
# shellcheck source=../suspend.sh
. ./suspend.sh

set_under_load ublk
fails_without
load_is_right
