"""Fast Open's settings of a namespace: mode bits, keys, and the client's cached cookies."""

import re
import secrets
from typing import NamedTuple

from .namespaces import Namespace

# net.ipv4.tcp_fastopen (include/net/tcp.h, TFO_*)
CLIENT, SERVER, CLIENT_NO_COOKIE, SERVER_NO_COOKIE, SERVER_WITHOUT_SOCKOPT = 0x1, 0x2, 0x4, 0x200, 0x400


def mode(namespace: Namespace, bits: int) -> None:
    namespace.sysctl("net.ipv4.tcp_fastopen", bits)


def new_key() -> str:
    """A random key as the sysctl spells it: four groups of eight hexadecimal digits."""
    return "-".join(secrets.token_hex(4) for _ in range(4))


def set_key(namespace: Namespace, primary: str, backup: str | None = None) -> None:
    """Set the namespace's key; cookies made with the backup key are still accepted."""
    namespace.sysctl("net.ipv4.tcp_fastopen_key", primary + (f",{backup}" if backup else ""))


def rotate_key(namespace: Namespace, keep_old: bool) -> str:
    """A new primary key; the old one stays as the backup, or every cookie given so far is bad."""
    old, new = namespace.sysctl("net.ipv4.tcp_fastopen_key").split(",")[0], new_key()
    set_key(namespace, new, old if keep_old else None)
    return new


def forget_cookies(namespace: Namespace) -> None:
    """Make the client forget every cookie (and the round-trip times) that it cached."""
    namespace.ip("tcp_metrics", "flush", "all")


class CachedCookie(NamedTuple):
    """What tcp_metrics keeps of Fast Open for one destination."""

    cookie: str | None
    mss: int | None
    syn_drops: int
    text: str


def cached_cookie(namespace: Namespace, address: str) -> CachedCookie:
    text = namespace.ip("tcp_metrics", "show", "all").strip()
    text = next((line for line in text.splitlines() if line.split()[0] == address), "")
    cookie, mss, drops = (re.search(rf"{name} (\S+)", text) for name in ("fo_cookie", "fo_mss", "fo_syn_drops"))
    return CachedCookie(
        cookie and cookie[1], int(mss[1]) if mss else None, int(drops[1].split("/")[0]) if drops else 0, text
    )
