"""The settings of one network namespace that decide on Fast Open (Documentation/networking/ip-sysctl.rst).

/proc/sys/net shows the namespace of the thread that reads (net/sysctl_net.c, ``net_ctl_header_lookup``): call through
``namespaces.visit``.
"""

from tfotop.sample import Problem, Sysctls
from tfotop.sources import Report, is_number, malformed, read_file

SOURCE = "sysctl"
DIRECTORY = "/proc/sys/net"

# Field of Sysctls, file below /proc/sys/net.
FILES = (
    ("tcp_fastopen", "ipv4/tcp_fastopen"),
    ("blackhole_timeout_s", "ipv4/tcp_fastopen_blackhole_timeout_sec"),
    ("tcp_syncookies", "ipv4/tcp_syncookies"),
    ("tcp_max_syn_backlog", "ipv4/tcp_max_syn_backlog"),
    ("somaxconn", "core/somaxconn"),
)


def read(report: Report, directory: str = DIRECTORY) -> Sysctls:
    """The settings of this thread's namespace; one that this kernel does not have (or show) stays ``None``."""
    return Sysctls(**{field: _integer(f"{directory}/{name}", report) for field, name in FILES})


def _integer(path: str, report: Report) -> int | None:
    """The only number in the file; the kernel writes it as one line."""
    try:
        text = read_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        report(Problem(source=SOURCE, text=f"{path} cannot be read: {error.strerror}"))
        return None
    digits = text.strip()
    if not is_number(digits.removeprefix(b"-")):
        report(malformed(path, 1, text))
        return None
    return int(digits)
