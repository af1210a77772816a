#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A check that does not hold.
#: timeout 120
. ../lib.sh

check "nothing is something" test -n ""
