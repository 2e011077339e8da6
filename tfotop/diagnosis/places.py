"""Which network namespace a thing is in, as people name it, and the command that runs there."""

import re
import shlex
from collections.abc import Iterable
from typing import Final

from tfotop.diagnosis.finding import Fix, Sysctl
from tfotop.model.state import PeerState
from tfotop.sample import Listener, Namespace

PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
LOOPBACK: Final = ("127.", "::1", "::ffff:127.")
DROP_IN: Final = "/etc/sysctl.d/90-tcp-fastopen.conf"


def title(place: Namespace | None) -> str:
    """A namespace in words; what ``ip netns`` calls it may hold anything: the views make it printable."""
    if place is None:
        return "a network namespace that is not known (no BTF)"
    return "this network namespace" if place.own else f"network namespace {place.name or place.inum}"


def within(place: Namespace | None) -> str:
    """`` in network namespace NAME``, or nothing for our own."""
    return "" if place is not None and place.own else f" in {title(place)}"


def inside(place: Namespace | None, command: str) -> str | None:
    """The command as it must be typed here; ``None`` where there is no way into the namespace."""
    if place is None:
        return None
    if place.own:
        return command
    if place.name is not None and PLAIN_NAME.fullmatch(place.name):
        return f"ip netns exec {place.name} {command}"
    if place.pid is not None:
        return f"nsenter -t {place.pid} -n {command}"
    return f"nsenter --net={shlex.quote('/run/netns/' + place.name)} {command}" if place.name is not None else None


def set_sysctl(place: Namespace | None, name: str, value: int, old: int | None) -> Fix:
    """Set an integer, make it last, take it back."""
    command = inside(place, f"sysctl -w {name}={value}")
    return Fix(
        command=command,
        text=None if command else f"set {name}={value} in the network namespace of the listener",
        lasting=lasting(place, name, value),
        undo=inside(place, f"sysctl -w {name}={old}") if old is not None else None,
        sysctl=Sysctl(netns=place.inum, name=name, value=str(value)) if place else None,
    )


def lasting(place: Namespace | None, name: str, value: int) -> str:
    """How a sysctl outlives the boot, or the container."""
    container = (
        f"docker run --sysctl {name}={value} (podman alike, compose: sysctls, Kubernetes: securityContext.sysctls,"
        " where the kubelet must allow it)"
    )
    if place is not None and place.own:
        return f"{DROP_IN}: {name} = {value}  (if this is a container: {container})"
    return f"set it wherever the namespace is made, for a container: {container}"


def loopback(address: str) -> bool:
    """Whether only this host can reach it."""
    return address.startswith(LOOPBACK)


def endpoint(listener: Listener) -> str:
    """``192.0.2.1:443`` or ``[::]:443``."""
    return f"[{listener.address}]:{listener.port}" if ":" in listener.address else f"{listener.address}:{listener.port}"


def owner(listener: Listener) -> str:
    """The process as ``nginx[812]``; a listener without one is the kernel's, or closed to us."""
    return f"{listener.process.comm}[{listener.process.pid}]" if listener.process else "an unknown process"


def of_peer(peer: PeerState) -> str:
    """The peer with the server's port, as in a URL."""
    address = peer.reading.address
    return f"[{address}]:{peer.reading.port}" if ":" in address else f"{address}:{peer.reading.port}"


def one_port(peers: Iterable[PeerState]) -> int | None:
    """The port of all of them, ``None`` if there are several, or none."""
    ports = {peer.reading.port for peer in peers}
    return ports.pop() if len(ports) == 1 else None
