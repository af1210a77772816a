# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Boots of the real systemd and udev, in namespaces of their own, for payloads that ask for them with
#: packages systemd udev kmod
#: programs unshare {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/tests/guest/systemd.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in {source}/packaging/dmremap@.service.in
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
