#!/bin/busybox sh
# PID 1 at boot: puts a memory layer over the host's files, so that they can be written to and stay as they are,
# and goes on in there with guest.sh. A step that fails ends the guest; the console says which one it was.
set -e
/bin/busybox mkdir -p /proc /sys /dev /host /layer /root
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
export PATH=/bin
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

for module in /modules/*; do insmod "$module"; done

mount -t virtiofs -o ro host /host
mount -t tmpfs -o size=75% tmpfs /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root

modules=/root/lib/modules/$(uname -r)
mkdir -p "$modules"
mount -o bind "/host$(cat /modules.path)" "$modules"
mount -t tmpfs -o mode=755 tmpfs /root/run
cp /guest.sh /job.sh /root/run
for directory in proc sys dev; do mount -o move /$directory /root/$directory; done
exec switch_root /root /bin/bash /run/guest.sh
