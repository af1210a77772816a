# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Boots of the real systemd and udev, in namespaces of their own, for payloads that ask for them with
#: packages systemd udev kmod
#: programs unshare {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/tests/guest/systemd.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
# `. ./systemd.sh` after lib.sh. What a boot is here: what /etc/fstab wants, and `look.service`, which
# runs the script /run/test/look and turns the machine off.

rules=/usr/lib/udev/rules.d/59-dm-remap.rules
virtio=/sys/bus/virtio/drivers/virtio_blk

prepare_systemd() {
  mkdir -p /etc/systemd/system /lib/modules /mnt /run/test
  hide_mains
  for program in mount umount systemctl sh; do
    [ -e /bin/$program ] || ln -s "$(command -v $program)" /bin/$program
  done
  sed 's|@SBINDIR@|/usr/bin|' dmremap@.service.in > /etc/systemd/system/dmremap@.service
  cp dm-remap-modules.service.in /etc/systemd/system/dm-remap-modules.service
  echo 0123456789abcdef0123456789abcdef > /etc/machine-id
  cat > /etc/systemd/system/look.service << 'END'
[Unit]
DefaultDependencies=no
Wants=local-fs.target mnt.mount systemd-udevd.service systemd-udev-trigger.service
After=systemd-udevd.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh /run/test/look
ExecStopPost=/bin/systemctl --no-block poweroff
END
}

hide_mains() { sed 's|@UDEVDIR@|/usr/bin|' 59-dm-remap.rules.in > $rules; }

# boot NAME: from its first process to its last.
boot() {
  # What a machine has not kept when it starts.
  mount -o remount,rw /  # a shutdown leaves it read-only
  rm -rf /run/udev /run/systemd /run/dmremap /dev/disk /dev/dm-remap /dev/block
  unshare --mount --pid --fork --mount-proc --kill-child /usr/lib/systemd/systemd \
    --system --unit=look.service --log-target=console --show-status=1 < /dev/null > "$OUT/$1" 2>&1 || true
  mount -o remount,rw /
}

seconds() { cut -d ' ' -f 1 /proc/uptime; }

# virtio_of SERIAL: the name by which a drive is bound to its driver.
virtio_of() { basename "$(readlink -f "/sys/block/$(basename "$(drive_node "$1")")/device")"; }
# A disk goes, and comes again under the first name that is free.
take_away() { [ ! -e "$virtio/$1" ] || echo "$1" > $virtio/unbind; }
plug_in() { [ -e "$virtio/$1" ] || echo "$1" > $virtio/bind; }

# hang DRIVE, answer DRIVE: the host holds back what the guest asks of a drive, and lets it go.
hang() { printf '\n@guest hang %s\n' "$1"; }
answer() { printf '\n@guest answer %s\n' "$1"; }

# look_at_mount SET: has each boot wait until /mnt is mounted, or nothing waits for it any more, for as many
# seconds as /run/test/at_most says. Of that it writes to /run/test: from what it is mounted, when that was
# decided, which job is left, and when the set's service began. What follows on standard input runs where
# it is mounted.
look_at_mount() {
  {
    echo "set=$1"
    cat << 'END'
asked=
end=$(($(cut -d . -f 1 /proc/uptime) + $(cat /run/test/at_most)))
from=
while [ "$(cut -d . -f 1 /proc/uptime)" -lt $end ]; do
  from=$(awk '$2 == "/mnt" {print $1}' /proc/mounts)
  [ -z "$from" ] || break
  case $(systemctl show -p ActiveState -p Job mnt.mount | tr '\n' ' ') in
    *Job=[0-9]*) asked=yes ;;
    *ActiveState=inactive*) [ -z "$asked" ] || break ;;
    *ActiveState=failed*) break ;;
  esac
  sleep 0.2
done
echo "$from" > /run/test/mounted
cut -d ' ' -f 1 /proc/uptime > /run/test/decided
systemctl show -p Job --value mnt.mount > /run/test/job
systemctl show -p ExecMainStartTimestampMonotonic --value "dmremap@$set.service" > /run/test/began
[ -n "$from" ] || exit 0
END
    cat
  } > /run/test/look
}

# fails_at_deadline CLAIM WAIT ALLOWANCE: in a boot without main the mount fails at the set's deadline,
# after WAIT seconds; and, the canary, it waits on where the claim has no names of what it waits for.
fails_at_deadline() {
  boot missing
  equal "without main nothing is mounted" "$(cat /run/test/mounted)" ""
  equal "and nothing waits for it any more" "$(cat /run/test/job)" ""
  took=$(awk "BEGIN {print int($(cat /run/test/decided) - $(cat /run/test/began) / 1000000)}")
  echo "its mount failed after $took s"
  [ "$took" -ge $(($2 - 2)) ] || fail "too early for a deadline of $2 s"
  [ "$took" -lt $(($2 + $3)) ] || fail "too late for a deadline of $2 s"
  mount -o remount,rw /
  sed -i '/^links = /d' "$1"
  echo $(($2 + $3)) > /run/test/at_most
  boot canary
  [ -n "$(cat /run/test/job)" ] || fail "without the names it does not wait on"
}
