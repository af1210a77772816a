# SPDX-License-Identifier: GPL-2.0-or-later
"""The root file system of a trial: Debian by mmdebstrap, the product as `make install` puts it there,
and the modules of a guest's kernel; and the initramfs that a maker of Debian's makes of it.

    build/guest/root/debian.tar     the system without the product, made once
    build/guest/root/tree           with the product; made anew for each trial
    build/guest/root/DRIVE.img      a disk of the guest"""

import os
import shutil
import subprocess

import kernels
import places

WHERE = os.path.join(places.BUILD, "guest/root")
TREE = os.path.join(WHERE, "tree")
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ("systemd-sysv,udev,dbus,kmod,e2fsprogs,initramfs-tools,busybox,dracut-core,cpio,zstd,"
            "procps,fio,libisal2,libfmt9,libfuse3-3,libmicrohttpd12,liburing2,libexpat1,libnettle8")
UUID = "55555555-2222-4333-8444-555555555555"
MACHINE_ID = "0123456789abcdef0123456789abcdef\n"
MAIN_BYTES, SPARE_BYTES = 1 << 30, 64 << 20
KERNEL = "6.12"


class Failed(Exception):
    """A program did not do what the trial needs; the message has what it said."""


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def _debian():
    path = os.path.join(WHERE, "debian.tar")
    if not os.path.exists(path):
        os.makedirs(WHERE, exist_ok=True)
        sources = os.path.join(WHERE, "debian.sources")
        with open(sources, "w", encoding="utf-8") as file:
            file.write(kernels.sources_with_backports())
        # The format is said, as the name that is not the last one yet does not show it.
        run("mmdebstrap", "--format=tar", "--variant=minbase", "--mode=root", f"--include={PACKAGES}",
            "--aptopt=APT::Install-Recommends \"false\"", "bookworm", path + ".new", sources)
        os.rename(path + ".new", path)
    return path


def _write(path, text, mode=0o644):
    path = os.path.join(TREE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def make_tree():
    """The tree, and the kernel that it has the modules of."""
    kernel = kernels.fetch(KERNEL, places.KERNELS)
    shutil.rmtree(TREE, ignore_errors=True)
    os.makedirs(TREE)
    run("tar", "xf", _debian(), "-C", TREE)
    run("cmake", "--install", places.BUILD, "--prefix", "/usr",
        env={**os.environ, "DESTDIR": TREE})
    for program in ("usr/sbin/dmremap", "usr/bin/dmremap-lab", "lib/udev/dmremap-udev"):
        run("strip", "--strip-debug", os.path.join(TREE, program))
    for leave in ("usr/share/doc", "usr/share/man", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(os.path.join(TREE, leave), ignore_errors=True)
    os.makedirs(os.path.join(TREE, "usr/lib/modules"), exist_ok=True)
    run("cp", "-a", kernel.modules, os.path.join(TREE, "usr/lib/modules"))
    run("cp", os.path.join(kernel.root, "boot", f"config-{kernel.release}"),
        os.path.join(TREE, "boot"))
    _write("etc/machine-id", MACHINE_ID)
    _write("etc/fstab", f"UUID={UUID} / ext4 errors=remount-ro 0 1\n")
    _write("etc/hostname", "trial\n")
    # The clock of a guest without KVM on a busy machine may be several times too fast.
    _write("etc/systemd/system.conf.d/trial.conf",
           "[Manager]\nDefaultTimeoutStartSec=3600s\nDefaultTimeoutStopSec=300s\n")
    # What the guest has, and no more: an image of all modules takes an emulated machine minutes.
    _write("etc/initramfs-tools/conf.d/trial", "MODULES=list\nCOMPRESSLEVEL=1\n")
    _write("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n")
    shutil.copy(os.path.join(HERE, "trial"), os.path.join(TREE, "usr/local/sbin/trial"))
    shutil.copy(os.path.join(HERE, "trial.service"), os.path.join(TREE, "etc/systemd/system"))
    os.makedirs(os.path.join(TREE, "usr/local/lib"), exist_ok=True)
    shutil.copy(os.path.join(places.BUILD, "lib/libread_between.so"),
                os.path.join(TREE, "usr/local/lib"))
    wants = os.path.join(TREE, "etc/systemd/system/multi-user.target.wants")
    os.makedirs(wants, exist_ok=True)
    os.symlink("../trial.service", os.path.join(wants, "trial.service"))
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer",
                 "dpkg-db-backup.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
                 "e2scrub_reap.service", "systemd-pstore.service", "systemd-logind.service",
                 "dbus.service", "dbus.socket", "systemd-update-utmp.service", "ldconfig.service",
                 "systemd-binfmt.service", "systemd-firstboot.service"):
        link = os.path.join(TREE, "etc/systemd/system", unit)
        if not os.path.lexists(link):
            os.symlink("/dev/null", link)
    return kernel


def drive(name):
    return os.path.join(WHERE, f"{name}.img")


def make_drives():
    """Main has the tree; the spare is empty."""
    for name, size in (("main", MAIN_BYTES), ("spare", SPARE_BYTES)):
        with open(drive(name), "wb") as file:
            file.truncate(size)
    run("mke2fs", "-q", "-t", "ext4", "-U", UUID, "-d", TREE, drive("main"))


def fetch_claim():
    """What the guest knows of its set, from its root into the tree."""
    claim = run("debugfs", "-R", "cat /etc/dm-remap/claims.d/root", drive("main"))
    claim = claim[claim.index("\n") + 1:] if claim.startswith("debugfs") else claim
    _write("etc/dm-remap/claims.d/root", claim, 0o600)
    # What an initramfs maker finds out where it is run on the machine itself.
    _write("etc/dm-remap/root-sets", "root\n")


def make_initramfs(maker, kernel, path):
    """By the tree's own mkinitramfs or dracut, as an installation runs them."""
    inside = "/tmp/initramfs"
    proc = os.path.join(TREE, "proc")
    run("mount", "-t", "proc", "proc", proc)
    try:
        if maker == "dracut":
            said = run("chroot", TREE, "dracut", "--force", "--no-hostonly", "--no-hostonly-cmdline",
                       "--gzip", "--add", "dm-remap", "--filesystems", "ext4",
                       "--add-drivers", "virtio_blk virtio_pci", inside, kernel.release)
            # By which the claims in it are this host's.
            if run("chroot", TREE, "lsinitrd", "-f", "/etc/machine-id", inside) != MACHINE_ID:
                raise Failed("the image of dracut does not say which host it is for")
        else:
            said = run("chroot", TREE, "mkinitramfs", "-o", inside, kernel.release)
    finally:
        run("umount", proc)
    os.replace(os.path.join(TREE, "tmp/initramfs"), path)
    return said
