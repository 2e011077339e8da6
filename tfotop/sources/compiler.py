"""The child process that compiles, loads and attaches the sensor, hands over its descriptors, and ends.

bcc brings LLVM, more than 100 MB resident: it must not stay. Attached by BPF links, the programs go when the last
descriptor of them goes, however the parent ends. Run as ``python -m tfotop.sources.compiler FD OPTIONS``.
"""

import ctypes as C
import importlib.machinery
import importlib.util
import json
import os
import re
import secrets
import socket
import sys
from pathlib import Path
from typing import Any, Final

from tfotop.sources.btf import Btf
from tfotop.sources.cgroup import open_root
from tfotop.sources.layout import RINGS, TABLES
from tfotop.sources.libbpf import Libbpf
from tfotop.sources.mounts import become_private, cover

DISTRIBUTION: Final = ("/usr/lib/python3/dist-packages", "/usr/lib/python3/site-packages")
NEEDS: Final = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
BCC_PACKAGES: Final = "python3-bpfcc (Debian, Ubuntu) or python3-bcc (Fedora, RHEL)"

# program -> (name of its type in bcc, enum bpf_attach_type of include/uapi/linux/bpf.h)
PROGRAMS: Final = {
    "ingress": ("CGROUP_SKB", 0),
    "egress": ("CGROUP_SKB", 1),
    "connect4": ("CGROUP_SOCK_ADDR", 10),
    "connect6": ("CGROUP_SOCK_ADDR", 11),
    "release": ("CGROUP_SOCK", 34),
}


# program -> the programs that it goes on with, by slot of its program array (the enums of bpf/handshake.bpf.c)
STEPS: Final = {
    "ingress": ("client_synack_step", "server_syn_step", "server_ack_step", "first_byte_step"),
    "egress": ("client_syn_step", "server_synack_step"),
}
# Steps are put in one by one while traffic goes on, and what looks at SYNs last: a SYN whose SYN-ACK passed unseen
# would be taken for unanswered.
ORDER: Final = (
    *("first_byte_step", "server_ack_step", "client_synack_step"),
    *("server_synack_step", "client_syn_step", "server_syn_step"),
)
STEP_ARRAYS: Final = tuple(f"{name}_steps" for name in STEPS)


# bcc optimises what clang gives it: once is enough, and halves the time. -O1 keeps loops from being unrolled.
FLAGS: Final = ("-O1", "-Xclang", "-disable-llvm-passes")


class Refused(Exception):
    """The sensor cannot run here: what is missing, and how to get it."""

    def __init__(self, text: str, remedy: str | None = None) -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


def source_directory() -> Path:
    """Where the C source is: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    for directory in (package.parent / "bpf", package / "bpf"):
        if (directory / "handshake.bpf.c").is_file():
            return directory
    raise Refused("the eBPF source is not installed with tfotop", "reinstall tfotop")


def source_text(directory: Path, name: str = "handshake.bpf.c") -> str:
    """The source with our own headers in place: bcc rewrites map calls in the main file only."""
    lines = []
    for number, line in enumerate((directory / name).read_text().splitlines(), 1):
        included = re.fullmatch(r'#include "(.+)"', line)
        lines.append(f'{source_text(directory, included[1])}\n#line {number + 1} "{name}"' if included else line)
    return "\n".join([f'#line 1 "{name}"', *lines])


def import_bcc() -> Any:
    """The distribution's bcc, whichever interpreter runs this. PyPI's package of that name is something else."""
    wrong = False
    versioned = [str(p) for p in sorted(Path("/usr/lib").glob("python3.*/site-packages"), reverse=True)]
    for directory in [*DISTRIBUTION, *versioned, None]:
        spec = importlib.machinery.PathFinder.find_spec("bcc", [directory] if directory else None)
        if spec is None or spec.loader is None or spec.origin is None:
            continue
        module = importlib.util.module_from_spec(spec)
        sys.modules["bcc"] = module
        try:
            spec.loader.exec_module(module)
        except (ImportError, OSError) as error:
            raise Refused(f"bcc does not load: {error}", f"install {BCC_PACKAGES}") from error
        if hasattr(module, "BPF"):
            return module
        wrong = True
    if wrong:
        text = "the Python package 'bcc' found here is the unrelated one from PyPI"
        raise Refused(text, f"pip uninstall bcc, and install {BCC_PACKAGES}")
    raise Refused("bcc is not installed", f"install {BCC_PACKAGES}")


def definitions(libbpf: Libbpf, options: dict[str, int | str]) -> tuple[list[str], tuple[int, int], str | None]:
    """Compiler flags, this run's secrets, and the reason if there are no offsets of the kernel's structs."""
    first, second = secrets.randbits(63), secrets.randbits(63)
    values: dict[str, int | str] = {"COOKIE_SECRET_0": f"{first}ULL", "COOKIE_SECRET_1": f"{second}ULL"}
    missing = None
    try:
        members = Btf(libbpf).offsets()
    except (OSError, KeyError) as error:
        missing = f"no reasons and no namespaces: {error}"
    else:
        values["HAVE_BTF"] = 1
        for name, member in members.items():
            values[f"OFF_{name}"], values[f"TYPE_{name}"] = member.offset, member.c_type
    return [f"-D{name}={value}" for name, value in {**values, **options}.items()], (first, second), missing


def compile_sensor(bcc: Any, flags: list[str]) -> Any:
    """Compile with our own stub headers, also where the kernel's are installed: one path, the same everywhere."""
    directory = source_directory()
    os.environ["BCC_KERNEL_SOURCE"] = str(directory)
    try:
        bpf = bcc.BPF(text=source_text(directory).encode(), cflags=[*FLAGS, *flags])
    except Exception as error:  # bcc raises plain Exception for a failed compilation or map creation
        raise Refused(f"bpf(2) refused the sensor: {error}", NEEDS) from error
    for name, (key_size, value_size) in TABLES.items():
        table = bpf[name]
        sizes = bcc.table.ct.sizeof(table.Key), bcc.table.ct.sizeof(getattr(table, "sLeaf", table.Leaf))
        if sizes != (key_size, value_size):
            raise Refused(f"layout of table {name}: {sizes} in C, {(key_size, value_size)} in Python")
    return bpf


def load(bcc: Any, bpf: Any, name: str, program_type: str, attach_type: int) -> int:
    """Load one program; its descriptor."""
    try:
        return int(bpf.load_func(name, getattr(bcc.BPF, program_type), attach_type=attach_type).fd)
    except Exception as error:  # bcc raises plain Exception for a refused program
        raise Refused(f"bpf(2) refused program {name}: {error}", NEEDS) from error


def attach(bcc: Any, bpf: Any, libbpf: Libbpf) -> list[int]:
    """Load each program, link it to the root of cgroup v2, and begin; the descriptors of the links."""
    try:
        root = open_root()
    except OSError as error:
        raise Refused(f"no cgroup v2 to attach to: {error}", "mount -t cgroup2 none /sys/fs/cgroup") from error
    steps = {name: load(bcc, bpf, name, *PROGRAMS[caller]) for caller, names in STEPS.items() for name in names}
    links = []
    for name, (program_type, attach_type) in PROGRAMS.items():
        link = libbpf.lib.bpf_link_create(load(bcc, bpf, name, program_type, attach_type), root, attach_type, None)
        if link < 0:
            raise Refused(f"the kernel refused to attach {name}", "Linux 5.14 or newer is needed")
        links.append(link)
    os.close(root)
    begin(bpf, steps)
    return links


def begin(bpf: Any, steps: dict[str, int]) -> None:
    """Have the linked programs go on with their steps, given by their descriptors."""
    places = {name: (f"{caller}_steps", slot) for caller, names in STEPS.items() for slot, name in enumerate(names)}
    for name in ORDER:
        array, slot = places[name]
        bpf[array][slot] = C.c_int(steps[name])


def prepare_mounts() -> None:
    """Mounts of our own: for a root of cgroup v2 where there is none, and to spare bcc a search.

    bcc reads all of /proc/kallsyms to choose between two helpers that we do not use: a fifth of the whole start.
    """
    try:
        become_private()
        cover("/proc/kallsyms")
    except OSError:
        pass  # it starts later, or not at all, and then says why


def main() -> None:
    """Send one JSON message with the descriptors of the maps, then the links; or one with the refusal."""
    channel, options = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    try:
        try:
            libbpf = Libbpf()
        except OSError as error:
            raise Refused(str(error), f"install {BCC_PACKAGES}") from error
        if refusal := libbpf.refusal():  # compiling would be for nothing
            raise Refused(f"bpf(2) refused the sensor: {os.strerror(refusal)}", NEEDS)
        prepare_mounts()
        bcc = import_bcc()
        flags, cookie_secrets, missing = definitions(libbpf, options)
        bpf = compile_sensor(bcc, flags)
        links = attach(bcc, bpf, libbpf)
        names = [*TABLES, *RINGS]
        message = {"names": names, "without_btf": missing, "secrets": cookie_secrets}
        # A program array is emptied when its last descriptor is closed, so the parent keeps those too.
        maps = [bpf[name].map_fd for name in [*names, *STEP_ARRAYS]]
        socket.send_fds(channel, [json.dumps(message).encode()], [*maps, *links])
    except Refused as refused:
        channel.send(json.dumps({"refused": refused.text, "remedy": refused.remedy}).encode())


if __name__ == "__main__":
    main()
