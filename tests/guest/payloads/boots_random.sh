#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034
# Boots in which the disks come in any order, under any names, up to 90 s late, or not at all, or
# hang, with a clone of main beside them: bare main is never mounted, nor another device than the
# set's; a boot whose devices are there has the file system mounted; one that lacks a device has its
# mount fail at the set's deadline, and the set is served when the device comes after all.
#
# The number of boots and the seed are words of the kernel's command line, guest.boots and guest.seed
# (make guest-boot GUEST_BOOTS=1000 GUEST_SEED=1).
#: kernels 6.12
#: icount idle
#: when all
#: timeout 9000
#: memory 2048
#: drive main 64MiB
#: device virtio-blk-pci,drive=main,serial=MAIN1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: drive clone 64MiB
#: device virtio-blk-pci,drive=clone,serial=CLONE1
#: packages systemd udev kmod
#: programs unshare mkfs.ext4 e2fsck blkid {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/tests/guest/systemd.sh {source}/tests/guest/boots.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh
# shellcheck source=../boots.sh
. ./boots.sh

word() { sed -n "s/.*guest\.$1=\([0-9]*\).*/\1/p" /proc/cmdline; }
boots=$(word boots)
boots=${boots:-4}
seed=$(word seed)
seed=${seed:-$(date +%s)}
state=$seed
# random N: $drawn becomes a number below N. Not in a subshell: the state is kept.
random() {
  state=$(((state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff))
  drawn=$(((state >> 33) % $1))
}
echo "seed $seed, $boots boots"

prepare_boots 60

# Sets what boot_with asks for.
draw_boot() {
  # What comes when: 0 before the boot.
  at_main=0 at_spare=0 at_clone=0 hangs=
  random 8
  situation=$drawn
  random 90
  [ $drawn -gt 0 ] || drawn=1
  case $situation in
    2) at_spare=$drawn ;;
    3 | 7) at_main=$drawn ;;
    4) at_main=$drawn && random 90 && at_spare=$((drawn + 1)) ;;
    5) at_main=- ;;
    6) hangs=yes ;;
  esac
  random 3
  [ $situation = 7 ] || [ "$drawn" != 0 ] || at_clone=-
  random 2
  if [ "$drawn" = 0 ]; then
    fstab=UUID=$uuid
    # By a name that only the set has, or the one that the clone has too.
  else
    fstab=/dev/dm-remap/$name
  fi
  # Without main the file system's UUID is the clone's.
  [ $at_clone = - ] || [ $at_main = 0 ] && [ -z "$hangs" ] || fstab=/dev/dm-remap/$name
  random 6
  case $drawn in
    0) order="main spare clone" ;;
    1) order="main clone spare" ;;
    2) order="spare main clone" ;;
    3) order="spare clone main" ;;
    4) order="clone main spare" ;;
    5) order="clone spare main" ;;
  esac
}

for number in $(seq "$boots"); do
  draw_boot
  boot_with "$number"
done
conclude_boots
