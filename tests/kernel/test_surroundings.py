"""What tfotop does without: each thing missing costs what depends on it, and is named in one line with its remedy."""

import os
import sys
import time
from pathlib import Path

import pytest

from tfotop.sources.btf import Btf
from tfotop.sources.handshakes import Starting
from tfotop.sources.libbpf import Libbpf

from .bed import Bed, Server, exchange, forget_cookies, rotate_key
from .bed.filters import filtering
from .running import NO_CAPABILITIES, NOBODY, hiding, mounts, snapshot, tfotop
from .watching import Events, shows

pytestmark = pytest.mark.sensor

BCC = "/usr/lib/python3/dist-packages/bcc"


def problem(seen: dict[str, object], source: str = "sensor") -> str:
    """What is said of a source, and its remedy."""
    found = [p for p in seen["problems"] if p["source"] == source]
    assert found, seen["problems"]
    return f"{found[0]['text']} -> {found[0]['remedy']}"


def test_everything_there() -> None:
    seen = snapshot()
    assert (seen["tier"], seen["btf"]) == (2, True)
    assert not [p for p in seen["problems"] if p["source"] == "sensor"]


def test_asked_not_to() -> None:
    seen = snapshot("--no-bpf")
    assert (seen["tier"], seen["totals"], seen["peers"], seen["agrees"]) == (1, None, None, None)
    assert "--no-bpf" in problem(seen)
    assert tfotop("events", "--no-bpf").returncode == 2


def test_not_root() -> None:
    if not os.access(sys.executable, os.X_OK):
        pytest.fail("the interpreter cannot be executed")
    seen = snapshot(within=NOBODY)
    assert seen["tier"] == 0
    assert "Operation not permitted -> run as root" in problem(seen)
    own = next(n for n in seen["namespaces"] if n["own"])
    assert own["counters"]["TCPFastOpenActive"] >= 0
    assert own["sysctls"]["tcp_fastopen"] is not None
    assert own["keys"] is None


def test_bpf_refused() -> None:
    seen = snapshot(within=NO_CAPABILITIES)
    assert seen["tier"] == 1
    assert "bpf(2) refused" in problem(seen)
    assert "CAP_BPF" in problem(seen)


def test_without_bcc(tmp_path: Path) -> None:
    seen = snapshot(within=hiding(f"mount --bind {tmp_path} {BCC}"))
    assert seen["tier"] == 1
    assert "bcc is not installed" in problem(seen)
    assert "python3-bpfcc" in problem(seen)


def test_with_the_wrong_bcc(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bcc.py").write_text("lattice = 'body centred cubic'\n")
    hidden = hiding(f"mount --bind {tmp_path}/empty {BCC}")
    seen = snapshot(within=hidden, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert seen["tier"] == 1
    assert "unrelated one from PyPI" in problem(seen)
    assert "pip uninstall bcc" in problem(seen)
    done = tfotop("events", within=hidden, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_cgroup_v2_not_mounted() -> None:
    before = mounts()
    unmount = "for m in $(awk '$3 == \"cgroup2\" {print $2}' /proc/mounts); do umount -l $m; done"
    seen = snapshot(within=hiding("mount --make-rprivate /", unmount, "! grep -q cgroup2 /proc/mounts || exit 9"))
    assert seen["tier"] == 2
    assert mounts() == before


def test_without_btf(bed: Bed) -> None:
    """No reasons, no namespaces; every outcome all the same."""
    hidden = hiding("mount --bind /dev/null /sys/kernel/btf/vmlinux")
    seen = snapshot(within=hidden)
    assert (seen["tier"], seen["btf"]) == (2, False)
    assert "BTF" in problem(seen)
    watching = Events(within=hidden)
    server = Server.start(bed.server)
    exchange(bed.client, bed.server.v4, server.port)
    exchange(bed.client, bed.server.v4, server.port)
    rotate_key(bed.server, keep_old=False)
    exchange(bed.client, bed.server.v4, server.port)
    events = watching.collect(lambda e: str(server.port) in e["local"] + e["peer"], 6)
    watching.close()
    assert {e["netns"] for e in events} == {None}
    roles = {role: [e["outcome"] for e in events if e["role"] == role] for role in ("client", "server")}
    assert roles == {"client": ["cookie_granted", "accepted", "rejected"], "server": roles["client"]}
    last = [e for e in events if e["role"] == "server"][-1]
    shows(last, reason="bad_cookie", max_qlen=None, tcp_fastopen=None, new_cookie_len=8)


def test_no_key(bed: Bed) -> None:
    """No call leaves a listener with a queue but no key on these kernels: only memory pressure does. So it is staged.

    The sensor is told to read two other fields, which are 0, in place of the two pointers to a key, and a filter takes
    the cookie out of the SYN-ACK before the hook sees it, as if the kernel had made none.
    """
    at = Btf(Libbpf()).offsets()
    aside = {"CTX": at["QLEN"], "NET_CTX": at["DISABLE_TIMES"]}
    defines: dict[str, int | str] = {f"OFF_{name}": member.offset for name, member in aside.items()}
    blind = Starting(0, {**defines, **{f"TYPE_{name}": member.c_type for name, member in aside.items()}}).finish()
    try:
        server = Server.start(bed.server)
        exchange(bed.client, bed.server.v4, server.port)
        with filtering(bed.server, "strip_synack_option", hook="output"):
            rotate_key(bed.server, keep_old=False)
            exchange(bed.client, bed.server.v4, server.port)
            forget_cookies(bed.client)
            exchange(bed.client, bed.server.v4, server.port)
        totals = blind.read(time.monotonic_ns(), time.time_ns()).totals
    finally:
        blind.close()
    mine = {(t.outcome, t.reason) for t in totals if t.netns_cookie == bed.server.net_cookie}
    assert mine == {("cookie_granted", None), ("rejected", "no_key"), ("cookie_refused", "no_key")}
