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
#: files {source}/packaging/udev/59-dm-remap.rules.in {source}/packaging/dmremap@.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh

uuid=22222222-2222-4333-8444-555555555555
wait=20
allowance=60  # of seconds, for a machine with other work
link=/dev/disk/by-uuid/$uuid
claim=/etc/dm-remap/claims.d/parts

prepare_systemd
cat > /run/test/look << 'END'
mounted_from() { awk '$2 == "/mnt" {print $1}' /proc/mounts | xargs -r readlink -f; }
seconds() { cut -d ' ' -f 1 /proc/uptime; }
asked=
end=$(($(cut -d . -f 1 /proc/uptime) + $(cat /run/test/at_most)))
while [ "$(cut -d . -f 1 /proc/uptime)" -lt $end ]; do
  from=$(mounted_from)
  [ -z "$from" ] || break
  case $(systemctl show -p ActiveState -p Job mnt.mount | tr '\n' ' ') in
    *Job=[0-9]*) asked=yes ;;
    *ActiveState=inactive*) [ -z "$asked" ] || break ;;
    *ActiveState=failed*) break ;;
  esac
  sleep 0.2
done
echo "$from" > /run/test/mounted
seconds > /run/test/decided
systemctl show -p Job --value mnt.mount > /run/test/job
systemctl show -p ExecMainStartTimestampMonotonic --value dmremap@parts.service > /run/test/began
# What is served is looked at every five seconds.
[ -z "$from" ] || for _ in $(seq 600); do grep -q "^links = " /etc/dm-remap/claims.d/parts && break; sleep 0.2; done
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
case $(cat /run/test/mounted) in
  /dev/ublkb*p1 | /dev/loop*p1) ;;
  *) fail "it is mounted from the partition of the set, not from '$(cat /run/test/mounted)'" ;;
esac
check "the claim keeps by which name" grep -q "^links = .*$link" $claim

take_away "$main"
boot missing
equal "without main nothing is mounted" "$(cat /run/test/mounted)" ""
equal "and nothing waits for it any more" "$(cat /run/test/job)" ""
took=$(awk "BEGIN {print int($(cat /run/test/decided) - $(cat /run/test/began) / 1000000)}")
echo "its mount failed after $took s"
[ "$took" -ge $((wait - 2)) ] || fail "too early for a deadline of $wait s"
[ "$took" -lt $((wait + allowance)) ] || fail "too late for a deadline of $wait s"

# The canary: a claim without the names.
mount -o remount,rw /
sed -i '/^links = /d' $claim
echo $((wait + allowance)) > /run/test/at_most
boot canary
[ -n "$(cat /run/test/job)" ] || fail "without the names it does not wait on"
plug_in "$main"
