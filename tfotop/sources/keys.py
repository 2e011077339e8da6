"""Which Fast Open keys one network namespace has: fingerprints of them, never the keys.

Source: /proc/sys/net/ipv4/tcp_fastopen_key (net/ipv4/sysctl_net_ipv4.c, ``proc_tcp_fastopen_key``), readable by root:
``a-b-c-d`` or ``a-b-c-d,e-f-g-h`` in hexadecimal, the primary key first. Four zeros: no key was made yet. It shows the
namespace of the thread that reads: call through ``namespaces.visit``.
"""

import re
import struct

try:
    from _blake2 import blake2s  # hashlib would load OpenSSL, for 4 MB, and take its hash from here
except ImportError:
    from hashlib import blake2s

from tfotop.sample import Keys, Problem
from tfotop.sources import Report, read_file

SOURCE = "keys"
PATH = "/proc/sys/net/ipv4/tcp_fastopen_key"
KEY_BYTES = 16
FINGERPRINT_KEY = b"tfotop"

_ONE_KEY = re.compile(rb"([0-9a-fA-F]{1,8})-([0-9a-fA-F]{1,8})-([0-9a-fA-F]{1,8})-([0-9a-fA-F]{1,8})")


def read(report: Report, path: str = PATH) -> Keys | None:
    """Fingerprints of the keys of this thread's namespace; ``None`` if they could not be read or make no sense."""
    try:
        text = read_file(path)
    except FileNotFoundError:
        return None
    except PermissionError:
        report(Problem(source=SOURCE, text="the Fast Open keys are closed to us", remedy="run as root"))
        return None
    except OSError as error:
        report(Problem(source=SOURCE, text=f"{path} cannot be read: {error.strerror}"))
        return None
    keys = parse(text)
    if keys is None:  # its content is a secret: not even a malformed one is shown
        report(Problem(source=SOURCE, text=f"line 1 of {path} is malformed ({len(text)} bytes, not shown: a secret)"))
    return keys


def parse(text: bytes) -> Keys | None:
    """Fingerprints of one or two keys; ``None`` if ``text`` is anything else."""
    parts = text.strip().split(b",")
    matches = [_ONE_KEY.fullmatch(part) for part in parts]
    if len(matches) > 2 or None in matches:
        return None
    names = [_name(match.groups()) for match in matches if match]
    return Keys(primary=names[0], backup=names[1] if len(names) > 1 else None)


def fingerprint(key: bytes) -> str:
    """Four hexadecimal digits that are the same for the same key on every host, and do not give the key away."""
    return blake2s(key, key=FINGERPRINT_KEY).digest()[:2].hex()


def _name(words: tuple[bytes, ...]) -> str | None:
    """The fingerprint of a key written as four words, which the kernel keeps little-endian; ``None`` if all zero."""
    key = struct.pack("<4I", *(int(word, 16) for word in words))
    return fingerprint(key) if any(key) else None
