#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel warns of something; the payload itself is content.
#: timeout 120
. ../lib.sh

echo 'WARNING: made by a test' > /dev/kmsg
