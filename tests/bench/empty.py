"""A process that attaches empty programs to the root of cgroup v2, and ends with its standard input."""

import ctypes
import os
import sys

from tfotop.sources.cgroup import open_root
from tfotop.sources.compiler import PROGRAMS, import_bcc, source_directory
from tfotop.sources.libbpf import Libbpf
from tfotop.sources.mounts import become_private, cover

SOURCE = b"""
#include <uapi/linux/bpf.h>
int empty_ingress(struct __sk_buff *skb) { return 1; }
int empty_egress(struct __sk_buff *skb) { return 1; }
"""


def main() -> None:
    become_private()  # open_root may mount, and bcc is quicker where it finds no symbols
    cover("/proc/kallsyms")
    os.environ["BCC_KERNEL_SOURCE"] = str(source_directory())
    bcc, libbpf, root = import_bcc(), Libbpf(), open_root()
    bpf = bcc.BPF(text=SOURCE)
    for name in ("ingress", "egress"):
        program_type, attach_type = PROGRAMS[name]
        program = bpf.load_func(f"empty_{name}", getattr(bcc.BPF, program_type), attach_type=attach_type).fd
        if libbpf.lib.bpf_link_create(program, root, attach_type, None) < 0:
            raise OSError(ctypes.get_errno(), "bpf_link_create")
    print("attached", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
