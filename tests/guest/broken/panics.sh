#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel panics.
#: timeout 120
. ../lib.sh

echo "printed before the panic"
echo c > /proc/sysrq-trigger
sleep 60
