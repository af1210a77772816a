# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2086
# Boots whose disks come in a certain order, late, or not at all, or hang, with a clone of main beside
# them, and what must hold after each. `. ./boots.sh` after lib.sh and systemd.sh, in payloads with
# `icount idle`, drives of the serial numbers MAIN1, SPARE1 and CLONE1, and mkfs.ext4, e2fsck and blkid;
# then prepare_boots, boot_with for each boot, and conclude_boots.

name=my-data  # with a character that units write otherwise
uuid=44444444-2222-4333-8444-555555555555
# Of seconds, for systemd's part. The guest counts instructions, so that a machine with other work, on which
# it takes longer by the host's clock, takes no longer by its own.
allowance=5
at_once=0 waited=0 failed=0 latest=0

# What boot_with is told by, below.
order="main spare clone" at_main=0 at_spare=0 at_clone=0 hangs='' fstab=UUID=$uuid

# Waits until it is decided what became of the mount, and says so; then, where the set comes later, for
# that.
write_look() {
  cat > /run/test/look << 'END'
mounted_from() { awk '$2 == "/mnt" {print $1}' /proc/mounts | xargs -r readlink -f; }
seconds() { cut -d ' ' -f 1 /proc/uptime; }
exec 2> /run/test/errors
cd /run/test/facts || exit
# Once a second, for each look is work, and work takes the guest's time.
for _ in $(seq 1200); do
  ! grep -q ' /mnt ' /proc/mounts || break
  [ -e waits ] || [ "$(systemctl is-active "$(cat ../unit)")" != activating ] || : > waits
  case $(systemctl show -p ActiveState -p Job mnt.mount | tr '\n' ' ') in
    *Job=[0-9]*) asked=yes ;;
    *ActiveState=inactive*) [ -z "$asked" ] || break ;;
    *ActiveState=failed*) break ;;
  esac
  sleep 1
done
seconds > decided
from=$(mounted_from)
echo "$from" > mounted
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
}

# prepare_boots WAIT: a set whose boots wait for so many seconds.
prepare_boots() {
  prepare_systemd
  write_look
  main=$(virtio_of MAIN1)
  spare=$(virtio_of SPARE1)
  clone=$(virtio_of CLONE1)
  mkfs.ext4 -q -U $uuid "$(drive_node MAIN1)"
  mount "$(drive_node MAIN1)" /mnt
  echo 0 > /mnt/count
  umount /mnt
  cp "$(drive_node MAIN1)" /dev/shm/clone && cat /dev/shm/clone > "$(drive_node CLONE1)"
  rm /dev/shm/clone
  check "a set" dmremap create $name "$(drive_node MAIN1)" "$(drive_node SPARE1)" --wait "$1"
  check "enabled" dmremap enable $name
  count=0
  wait=$1
}

# When the set has been waiting for a moment.
when_awaited() {
  while ! [ -e /run/test/facts/waits ]; do sleep 0.5; done
  sleep 2
}
# When the look at a boot is over that decides what became of the mount.
when_ready() { while ! [ -e /run/test/facts/ready_for_more ]; do sleep 0.5; done; }

# comes DISK WHEN: at 0, after so many seconds of the boot, while the set waits for it (`awaited`), when
# the mount has failed (`after`), or never (`-`).
comes() {
  _bound=
  eval "_bound=\$$1"
  case $2 in
    -) ;;
    awaited) (when_awaited && plug_in "$_bound" && seconds > "/run/test/facts/came.$1") & ;;
    after) (when_ready && plug_in "$_bound" && seconds > "/run/test/facts/came.$1") & ;;
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

# boot_with NUMBER: as $at_main, $at_spare and $at_clone say when each comes, in the order $order,
# with main hanging if $hangs is not empty, and $fstab what the file system is mounted from.
boot_with() {
  rm -rf /run/test/facts && mkdir /run/test/facts
  for disk in $main $spare $clone; do take_away "$disk"; done
  # Systemd would give up after 90 s by itself, which is not what is tried.
  echo "$fstab /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab
  echo "boot $1: main $at_main, spare $at_spare, clone $at_clone${hangs:+, main hangs}; $order; $fstab"
  [ "$at_main" = - ] || : > /run/test/facts/comes_later
  for disk in $order; do eval "comes $disk \$at_$disk"; done
  if [ -n "$hangs" ]; then
    hang main
    node=$(drive_node MAIN1)
    until does_not_answer "$node"; do :; done
    (when_ready; answer main) &
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
  decided=$(cat $at/decided)
  if [ -n "$mounted" ]; then
    if less "$came" "$began"; then at_once=$((at_once + 1)); else waited=$((waited + 1)); fi
  else
    failed=$((failed + 1))
    beyond=$(awk "BEGIN {print $decided - $began - $wait}")
    less "$beyond" "$latest" || latest=$beyond
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

# What the boots have left is whole; and the canary: without the rule bare main is mounted.
conclude_boots() {
  echo "mounted: $at_once with the devices there, $waited when they came;" \
    "failed at the deadline: $failed, the latest $latest s after it"
  plug_in "$main"
  plug_in "$spare"
  take_away "$clone"
  check "the file system is whole" dmremap start $name
  e2fsck -fn /dev/dm-remap/$name > /dev/null || fail "e2fsck"
  dmremap stop $name > /dev/null
  rm /usr/lib/udev/rules.d/59-dm-remap.rules
  echo "UUID=$uuid /mnt ext4 nofail,x-systemd.device-timeout=900 0 0" > /etc/fstab
  rm -rf /run/test/facts && mkdir /run/test/facts
  boot canary
  equal "without the rule bare main is mounted" "$(cat /run/test/facts/mounted)" "$(drive_node MAIN1)"
}
