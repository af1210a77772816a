#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ends too late, though the guest lives.
#: timeout 5
. ../lib.sh

sleep 1000
