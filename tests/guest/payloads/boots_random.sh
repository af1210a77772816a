#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots in which the disks come in any order, under any names, up to 90 s late, or not at all, or
# hang, with a clone of main beside them: bare main is never mounted, nor another device than the
# set's; a boot whose devices are there has the file system mounted; one that lacks a device has its
# mount fail at the set's deadline, and the set is served when the device comes after all.
#
# The number of boots and the seed are words of the kernel's command line, guest.boots and guest.seed
# (make guest-boot GUEST_BOOTS=1000 GUEST_SEED=1).
#: kernels 6.12
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
#: files {source}/tests/guest/systemd.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in {source}/packaging/dmremap@.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh

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

name=my-data  # with a character that units write otherwise
uuid=44444444-2222-4333-8444-555555555555
wait=60
allowance=60  # of seconds, for a machine with other work

prepare_systemd
# Waits until it is decided what became of the mount, and says so; then, where the set comes later, for
# that.
cat > /run/test/look << 'END'
mounted_from() { awk '$2 == "/mnt" {print $1}' /proc/mounts | xargs -r readlink -f; }
seconds() { cut -d ' ' -f 1 /proc/uptime; }
exec 2> /run/test/errors
cd /run/test/facts || exit
for _ in $(seq 6000); do
  from=$(mounted_from)
  [ -z "$from" ] || break
  case $(systemctl show -p ActiveState -p Job mnt.mount | tr '\n' ' ') in
    *Job=[0-9]*) asked=yes ;;
    *ActiveState=inactive*) [ -z "$asked" ] || break ;;
    *ActiveState=failed*) break ;;
  esac
  sleep 0.2
done
echo "$from" > mounted
seconds > decided
systemctl show -p ExecMainStartTimestampMonotonic --value "$(cat ../unit)" > began
systemctl status "$(cat ../unit)" > status
: > ready_for_more
if [ -z "$from" ] && [ -e comes_later ]; then
  for _ in $(seq 1200); do [ -e /dev/dm-remap/my-data ] && break; sleep 0.2; done
  for _ in $(seq 100); do
    systemctl start mnt.mount && break
    sleep 0.5
  done
  from=$(mounted_from)
  echo "$from" > mounted_later
fi
readlink -f /dev/dm-remap/my-data > device
for at in /dev/vd* /dev/ublkb*; do udevadm info "$at"; done >> status 2>&1
cat /mnt/count > count
[ -z "$from" ] || expr "$(cat /mnt/count)" + 1 > /mnt/count.new
[ -z "$from" ] || { mv /mnt/count.new /mnt/count && sync; }
END
printf '%s\n' 'dmremap@my\x2ddata.service' > /run/test/unit

main=$(virtio_of MAIN1)
spare=$(virtio_of SPARE1)
clone=$(virtio_of CLONE1)
mkfs.ext4 -q -U $uuid "$(drive_node MAIN1)"
mount "$(drive_node MAIN1)" /mnt
echo 0 > /mnt/count
umount /mnt
cp "$(drive_node MAIN1)" /dev/shm/clone && cat /dev/shm/clone > "$(drive_node CLONE1)"
rm /dev/shm/clone
check "a set" dmremap create $name "$(drive_node MAIN1)" "$(drive_node SPARE1)" --wait $wait
check "enabled" dmremap enable $name
count=0

# comes DISK DELAY: now, or after so many seconds of the boot; never, if it is "-".
comes() {
  _bound=
  eval "_bound=\$$1"
  case $2 in
    -) ;;
    0)
      plug_in "$_bound"
      seconds > "/run/test/facts/came.$1"
      ;;
    *) (sleep "$2" && plug_in "$_bound" && seconds > "/run/test/facts/came.$1") & ;;
  esac
}

# The time at which the last of main and spare was there; empty: one of them never was.
all_there() {
  [ -e /run/test/facts/came.main ] && [ -e /run/test/facts/came.spare ] || return 0
  sort -n /run/test/facts/came.main /run/test/facts/came.spare | tail -n 1
}
# less A B: of decimal fractions.
less() { awk "BEGIN {exit !($1 < $2)}"; }

# A process that waits for a drive cannot be killed; it ends when the drive answers.
does_not_answer() {
  rm -f /run/test/answered
  (dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct 2> /dev/null && : > /run/test/answered) &
  sleep 3
  [ ! -e /run/test/answered ]
}

one_boot() {
  rm -rf /run/test/facts && mkdir /run/test/facts
  for disk in $main $spare $clone; do take_away "$disk"; done
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
  # Systemd would give up after 90 s by itself, which is not what is tried.
  echo "$fstab /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab
  random 6
  case $drawn in
    0) order="main spare clone" ;;
    1) order="main clone spare" ;;
    2) order="spare main clone" ;;
    3) order="spare clone main" ;;
    4) order="clone main spare" ;;
    5) order="clone spare main" ;;
  esac
  echo "boot $1: main $at_main, spare $at_spare, clone $at_clone${hangs:+, main hangs}; $order; $fstab"
  [ "$at_main" = - ] || : > /run/test/facts/comes_later
  for disk in $order; do eval "comes $disk \$at_$disk"; done
  if [ -n "$hangs" ]; then
    hang main
    node=$(drive_node MAIN1)
    until does_not_answer "$node"; do :; done
    (while ! [ -e /run/test/facts/ready_for_more ]; do sleep 0.5; done; answer main) &
  fi
  boot "boot.$1"
  wait
  cp /run/test/facts/status "$OUT/boot.$1.status" 2> /dev/null || true
  judge "$1"
}

judge() {
  at=/run/test/facts
  [ -e $at/mounted ] || fail "boot $1: it did not come up: $(tail -n 5 "$OUT/boot.$1")"
  mounted=$(cat $at/mounted)
  device=$(cat $at/device)
  later=$(cat $at/mounted_later 2> /dev/null) || later=
  for from in $mounted $later; do
    equal "boot $1: it is mounted from the set's device" "$from" "$device"
    case $from in /dev/ublkb* | /dev/loop*) ;; *) fail "boot $1: bare $from was mounted" ;; esac
    equal "boot $1: with what was written last" "$(cat $at/count)" $count
    count=$((count + 1))
  done
  began=$(awk '{print $1 / 1000000}' $at/began)
  came=$(all_there)
  if [ -z "$mounted" ]; then
    decided=$(cat $at/decided)
    less "$decided" "$began + $wait + $allowance" ||
      fail "boot $1: its mount failed at $decided, long after $began + $wait"
    less "$began + $wait - 2" "$decided" || fail "boot $1: its mount failed at $decided, too early"
    [ -n "$hangs" ] || [ -z "$came" ] || less "$began + $wait - 5" "$came" ||
      fail "boot $1: its devices were there at $came, and it was not mounted by $decided"
    check "boot $1: the status says what is missing" grep -q "a device is missing" $at/status
    if [ -e $at/comes_later ]; then
      [ -n "$later" ] || fail "boot $1: it was not served when the device came"
    fi
  fi
  equal "boot $1: the claim says that it was stopped" \
    "$(sed -n 's/^served = //p' /etc/dm-remap/claims.d/$name)" no
}

for number in $(seq "$boots"); do one_boot "$number"; done
plug_in "$main"
plug_in "$spare"
take_away "$clone"
check "the file system is whole" dmremap start $name
e2fsck -fn /dev/dm-remap/$name > /dev/null || fail "e2fsck"
dmremap stop $name > /dev/null

# The canary: without the rule bare main is mounted.
rm $rules
echo "UUID=$uuid /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab
rm -rf /run/test/facts && mkdir /run/test/facts
boot canary
equal "without the rule bare main is mounted" "$(cat /run/test/facts/mounted)" "$(drive_node MAIN1)"
