#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where there is no ublk, or no right to use it, `--export ublk` says why, and `auto` does without.
#: kernels 6.12 6.1
#: timeout 300
#: programs setpriv
. ../lib.sh

truncate -s 32M main.img
check "a set is made" dmremap create refused ./main.img ./spare.img --spare-size 32MiB
at_exit stop_set refused

# said WHAT TEXT: of the last refusal.
said() { grep -q "$2" /tmp/said || fail "$1 is not said: $(cat /tmp/said)"; }
starts_without() {
  case $(dmremap start refused) in /dev/loop*) ;; *) fail "auto: no loop device" ;; esac
  echo "ok: auto does without: $1"
  check "it is stopped" dmremap stop refused
}

modules=/lib/modules/$(uname -r)
hidden=
if [ -e /dev/ublk-control ]; then rmmod ublk_drv; fi
if [ -n "$(find "$modules" -name 'ublk_drv.ko*')" ]; then
  mv "$modules" /lib/hidden
  hidden=yes
fi
refused "no driver" dmremap start refused --export ublk
said "the driver" "ublk"
said "another way" "export block"
starts_without "no driver"
if [ -z "$hidden" ]; then exit 0; fi
mv /lib/hidden "$modules"
modprobe ublk_drv

# The control device is root's.
mknod /tmp/node c 1 3
mount --bind /dev/null /dev/ublk-control
refused "a control device that is none" dmremap start refused --export ublk
starts_without "a control device that is none"
umount /dev/ublk-control
rm /tmp/node
node=$(dmremap start refused)
case $node in /dev/ublkb*) ;; *) fail "no ublk again: $node" ;; esac
check "it is stopped" dmremap stop refused

# Root in a container, as it were.
refused "no CAP_SYS_ADMIN" setpriv --bounding-set -sys_admin dmremap start refused --export ublk
said "what it lacks" "CAP_SYS_ADMIN"
no_disks() { ! ls /dev/ublkb* 2> /dev/null; }
check "and nothing is left of it" no_disks
