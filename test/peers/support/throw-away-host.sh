#!/usr/bin/env bash
# A host of one test's own, run by unshare(1) with namespaces of its own: this host's files with a layer above them that takes
# every change and is gone afterwards, and systemd as its first process. throw-away-host.ts starts it.
#   throw-away-host.sh CHECKOUT    CHECKOUT is /usr/local/src/dewey-pop3 there, with a layer of its own
set -euo pipefail
checkout=$1

mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work"/{root,root-changes,root-work,checkout-changes,checkout-work}
root=$work/root
mount -t overlay -o "lowerdir=/,upperdir=$work/root-changes,workdir=$work/root-work" overlay "$root"

# What the kernel and this host's programs have put there is not this host's to see.
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
chmod 755 "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

mkdir -p "$root/usr/local/src/dewey-pop3"
mount -t overlay -o "lowerdir=$checkout,upperdir=$work/checkout-changes,workdir=$work/checkout-work" overlay \
  "$root/usr/local/src/dewey-pop3"

# A service starts because the test says so, not because this host has it enabled.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/dewey-pop3 "$root/usr/sbin/policy-rc.d"
systemctl --root="$root" --quiet mask systemd-networkd systemd-resolved systemd-logind systemd-timesyncd getty.target
# Set, or systemd takes it for the first start of a new host, and enables what is installed.
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo mail.example.org >"$root/etc/hostname"
hostname mail.example.org
printf '127.0.0.1 localhost\n127.0.0.1 mail.example.org mail\n' >"$root/etc/hosts"
ip link set lo up
rm -rf "$root/var/mail" && mkdir "$root/var/mail" && chmod 2775 "$root/var/mail" && chgrp mail "$root/var/mail"

cd /
exec chroot "$root" env -i container=other "PATH=$PATH" /lib/systemd/systemd --system --log-target=null --show-status=0 --unit=basic.target
