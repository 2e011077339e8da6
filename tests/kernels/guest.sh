# PID 1 in the guest's real root: makes the machine usable, runs the job, reports its exit status, switches off.
mkdir -p /run/lock /run/netns /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mkdir -p /dev/net && mknod /dev/net/tun c 10 200 # there is no udev; opening it loads the module
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -sfn "${link#*:}" "/dev/${link%%:*}"; done
ip link set lo up
hostname guest
ulimit -l unlimited

# Without udev nobody names the ports.
for port in /sys/class/virtio-ports/*; do declare "port_$(<"$port/name")=/dev/${port##*/}"; done

# A port can be opened once only, and the job may want to open /dev/stderr: give it pipes.
mkfifo /run/out /run/err
cat /run/out >"$port_out" & copies=$!
cat /run/err >"$port_err" & copies+=" $!"
setsid bash /run/job.sh </dev/null >/run/out 2>/run/err
status=$?

# A daemon that the job left behind may hold the pipes open for ever.
for _ in {1..20}; do kill -0 $copies 2>/dev/null || break; sleep 0.1; done
echo $status >"$port_status"
echo b >/proc/sysrq-trigger # "reboot", which ends qemu at once; powering off would take longer
sleep 60
