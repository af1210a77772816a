#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The real systemd boots with an fstab that names a volume of device mapper on the set, made as LVM or
# cryptsetup would make it when the set is there. Where main is missing that mount fails at the set's
# deadline: the claim kept what was stacked on the set when it was served. Without those names, the
# canary, it waits on.
#: kernels 6.12
#: when all
#: timeout 3000
#: memory 2048
#: drive main 64MiB
#: device virtio-blk-pci,drive=main,serial=MAIN1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: packages systemd udev kmod
#: programs unshare mkfs.ext4 blkid dmsetup {build}/bin/dmremap-udev
#: modules virtio_blk dm_mod
#: files {source}/tests/guest/systemd.sh
#: files /usr/lib/udev/rules.d/55-dm.rules /usr/lib/udev/rules.d/60-persistent-storage-dm.rules
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh

wait=20
allowance=60  # of seconds, for a machine with other work
claim=/etc/dm-remap/claims.d/volumes

prepare_systemd
cp 55-dm.rules 60-persistent-storage-dm.rules /usr/lib/udev/rules.d/
modprobe dm_mod
modprobe ublk_drv
look_at_mount volumes << 'END'
for holder in /sys/block/*/holders/dm-*; do [ ! -e "$holder" ] || echo "$holder"; done > /run/test/holders
# What is served is looked at every five seconds.
for _ in $(seq 600); do grep -q "^links = .*/dev/mapper/volume" /etc/dm-remap/claims.d/volumes && break; sleep 0.2; done
END

# As systemd-cryptsetup@.service is ordered.
cat > /etc/systemd/system/volume.service << 'END'
[Unit]
DefaultDependencies=no
BindsTo=dev-dm\x2dremap-volumes.device
After=dev-dm\x2dremap-volumes.device blockdev@dev-dm\x2dremap-volumes.target
Before=blockdev@dev-mapper-volume.target umount.target
Conflicts=umount.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'dmsetup create volume --noudevsync --table "0 65536 linear $(readlink -f /dev/dm-remap/volumes) 2048"'
ExecStop=/bin/sh -c 'dmsetup remove --noudevsync volume'
END
mkdir -p /etc/systemd/system/look.service.wants
ln -sf ../volume.service /etc/systemd/system/look.service.wants/volume.service

plain=$(drive_node MAIN1)
main=$(virtio_of MAIN1)
mkfs.ext4 -q -E offset=1048576 "$plain" 32M
check "a set over the disk" dmremap create volumes "$plain" "$(drive_node SPARE1)" --wait $wait
check "enabled" dmremap enable volumes
# Systemd would give up after 90 s by itself, which is not what is tried.
echo "/dev/mapper/volume /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab

echo 1200 > /run/test/at_most  # seconds
boot served
equal "the volume is mounted" "$(cat /run/test/mounted)" /dev/mapper/volume
case $(cat /run/test/holders) in
  */ublkb*/holders/dm-* | */loop*/holders/dm-*) ;;
  *) fail "it does not lie on the set: $(cat /run/test/holders)" ;;
esac
check "the claim keeps its name" grep -q "^links = .*/dev/mapper/volume" $claim

take_away "$main"
fails_at_deadline $claim $wait $allowance
plug_in "$main"
