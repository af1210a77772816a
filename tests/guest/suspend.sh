# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What payloads share in which the machine is suspended to memory under load, after lib.sh and target.sh. They
# ask for
#: programs fio
#: packages systemd
#: files {source}/tests/guest/suspend.sh {source}/packaging/dm-remap.sleep {source}/tests/guest/target.sh

groups=/sys/fs/cgroup
users=$groups/user.slice
unit=$groups/system.slice/system-dmremap.slice/dmremap@set.service

# `sh -c "$in_group" sh GROUP COMMAND...`
# shellcheck disable=SC2016
in_group='echo $$ > "$1/cgroup.procs"; shift; exec "$@"'

# As systemd has them.
control_groups() {
  mount -t cgroup2 cgroup2 $groups
  at_exit umount $groups
  for _directory in $groups/user.slice $groups/system.slice $groups/system.slice/system-dmremap.slice $unit; do
    mkdir "$_directory"
    at_exit rmdir "$_directory"
  done
  # A container that somebody has paused.
  mkdir $groups/system.slice/paused.scope
  at_exit rmdir $groups/system.slice/paused.scope
  echo 1 > $groups/system.slice/paused.scope/cgroup.freeze
}
frozen() { cat "$1/cgroup.freeze"; }

# set_under_load EXPORT: the set `set` at $node, of which sectors are elsewhere, served in its unit's group; fio
# with verification and fsync is a user's.
set_under_load() {
  control_groups
  set_over_ram
  node=$(sh -c "$in_group" sh $unit dmremap start set --export "$1") || fail "it does not start"
  for _at in 2000 40960 70000 100000; do check "some sectors move" dmremap remap set $_at+8; done
  sh -c "$in_group" sh $users fio --output=fio.out --name=suspended --filename="$node" --direct=1 \
    --ioengine=io_uring --iodepth=8 --rw=randwrite --bsrange=4k-64k --size=60m --time_based=1 --runtime=36000 --fsync=8 \
    --verify=crc32c --verify_fatal=1 --verify_backlog=256 --randrepeat=0 &
  verifier=$!
  at_exit end_verifier
  goes_on "before"
  # The host wakes the machine whenever it sleeps.
  printf '\n@guest wake\n'
}
end_verifier() { kill -INT "$verifier" 2> /dev/null || true; }

writes() { awk '{print $5}' "/sys/block/$(basename "$node")/stat"; }
_have_written() { [ "$(writes)" -ge $((_before + 32)) ] || ! kill -0 "$verifier" 2> /dev/null; }
goes_on() {
  _before=$(writes)
  wait_until "fio goes on $1" _have_written
  kill -0 "$verifier" 2> /dev/null || fail "fio has ended $1: $(cat fio.out)"
}

counted() { cat "/sys/power/suspend_stats/$1"; }

# Where the package has the script. Around it, who is frozen is noted: systemd waits for its end before the
# machine sleeps, and calls it again afterwards.
sleep_scripts=/usr/lib/systemd/system-sleep
install_sleep_script() {
  mkdir -p $sleep_scripts
  at_exit rm -r $sleep_scripts
  cat > $sleep_scripts/dm-remap << END
#!/bin/sh
sh $PWD/dm-remap.sleep "\$@"
echo "\$* \$(cat $users/cgroup.freeze) \$(cat $unit/cgroup.freeze)" >> $PWD/sleep.calls
END
  chmod +x $sleep_scripts/dm-remap
}

# suspended TIMES: by systemd, as systemd-suspend.service does it.
suspended() {
  install_sleep_script
  _slept=$(counted success)
  for _round in $(seq "$1"); do
    : > sleep.calls
    SYSTEMD_LOG_TARGET=console /usr/lib/systemd/systemd-sleep suspend > said 2>&1 ||
      fail "round $_round: $(cat said) $(dmesg | grep -A 3 'Freezing.*failed' | tail -n 4)"
    equal "users are frozen, what serves is not, and users go on" "$(cat sleep.calls)" "pre suspend 1 0
post suspend 0 0"
    goes_on "after round $_round"
  done
  equal "the machine has slept" $(($(counted success) - _slept)) "$1"
  equal "freezes that failed" "$(counted failed_freeze)" 0
  equal "what was paused stays so" "$(frozen $groups/system.slice/paused.scope)" 1
}

# Without the script it fails sooner or later, which harms nobody.
fails_without() {
  _fails=$(counted failed_freeze)
  _usual=$(cat /sys/power/pm_freeze_timeout)
  echo 2000 > /sys/power/pm_freeze_timeout
  for _ in $(seq 30); do
    echo mem > /sys/power/state 2> said || break
    goes_on "after a sleep"
  done
  echo "$_usual" > /sys/power/pm_freeze_timeout
  equal "freezes that failed" $(($(counted failed_freeze) - _fails)) 1
  goes_on "after a freeze that failed"
}

# load_is_right: nothing was lost, no request failed, and the set noticed nothing.
load_is_right() {
  end_verifier
  wait "$verifier" || true
  grep -q "err= 0" fio.out || fail "a request failed, or read something else: $(cat fio.out)"
  status_of set
  grep -q '^  "state": "healthy"' set.json || fail "it is not healthy: $(dmremap status set)"
  equal "sectors elsewhere" "$(field set.json remapped_sectors)" 32
  equal "nothing is lost" "$(field set.json lost_sectors)" 0
  check "it is stopped" dmremap stop set
}
