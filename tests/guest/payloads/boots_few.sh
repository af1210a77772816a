#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034
# Boots whose main comes at once, late, or after the deadline, or whose spare is late, with a clone of
# main beside it: bare main is never mounted, nor the clone in place of the set; the mount fails at the
# deadline and not before, and the set is served when main comes. The canary, without the rule, mounts
# bare main. Few boots of those that boots_random.sh makes, for `make check`.
#: kernels 6.12
#: icount idle
#: timeout 600
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

prepare_boots 120
order="main clone spare"
boot_with 1
# The clone is now at the node that main had.
order="clone spare main" at_main=awaited fstab=/dev/dm-remap/$name
boot_with 2
# The set holds main until the spare is there.
order="main clone spare" at_main=0 at_spare=awaited fstab=UUID=$uuid
boot_with 3
check "another deadline" dmremap enable "$name" --wait 5
wait=5
order="spare clone main" at_main=after at_spare=0 fstab=/dev/dm-remap/$name
boot_with 4
conclude_boots
