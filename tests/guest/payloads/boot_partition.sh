#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The real systemd boots with an fstab that names the UUID of a file system on a partition of main. Where
# main is missing that mount fails at the set's deadline, although its UUID lies on main alone: the set
# was served before, and the claim kept what udev said then. Without those names, the canary, it waits on.
#: kernels 6.12
#: when all
#: timeout 3000
#: memory 2048
#: drive main 64MiB
#: device virtio-blk-pci,drive=main,serial=MAIN1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: packages systemd udev kmod
#: programs unshare mkfs.ext4 blkid {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/tests/guest/systemd.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh

uuid=22222222-2222-4333-8444-555555555555
wait=20
allowance=60  # of seconds, for a machine with other work
link=/dev/disk/by-uuid/$uuid
claim=/etc/dm-remap/claims.d/parts

prepare_systemd
look_at_mount parts << 'END'
readlink -f "$from" > /run/test/node
# What is served is looked at every five seconds.
for _ in $(seq 600); do grep -q "^links = " /etc/dm-remap/claims.d/parts && break; sleep 0.2; done
END

plain=$(drive_node MAIN1)
main=$(virtio_of MAIN1)
partition_entry 2048 40960 > one
partition_table "$plain" one
blockdev --rereadpt "$plain"
wait_until "its partition is there" test -b "${plain}1"
mkfs.ext4 -q -U $uuid "${plain}1"
check "a set over the disk" dmremap create parts "$plain" "$(drive_node SPARE1)" --wait $wait
check "enabled" dmremap enable parts
# Systemd would give up after 90 s by itself, which is not what is tried.
echo "UUID=$uuid /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab

echo 1200 > /run/test/at_most  # seconds
boot served
case $(cat /run/test/node) in
  /dev/ublkb*p1 | /dev/loop*p1) ;;
  *) fail "it is mounted from the partition of the set, not from '$(cat /run/test/mounted)'" ;;
esac
check "the claim keeps by which name" grep -q "^links = .*$link" $claim

take_away "$main"
fails_at_deadline $claim $wait $allowance
plug_in "$main"
