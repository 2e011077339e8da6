"""A socket that a process owns for as long as a test likes: its packets wait in the backlog (sk_add_backlog)."""

import ctypes as C
import fcntl
import mmap
import os
import platform
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

USERFAULTFD = {"x86_64": 323, "aarch64": 282}  # the system call
UFFD_API, REGISTER_MISSING = 0xAA, 1  # include/uapi/linux/userfaultfd.h
UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00
IP_OPTIONS, NO_OPTIONS = 4, 4  # of so many bytes, all zero: the end of the list


@contextmanager
def owned(sock: socket.socket) -> Iterator[None]:
    """Own an IPv4 socket for the length of a block: IP_OPTIONS is copied from a page that nobody has filled yet.

    do_ip_setsockopt (net/ipv4/ip_sockglue.c) copies while it holds the socket.
    """
    libc = C.CDLL(None, use_errno=True)
    faults = libc.syscall(USERFAULTFD[platform.machine()], os.O_CLOEXEC)
    if faults < 0:
        raise OSError(C.get_errno(), "userfaultfd")
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        place = C.c_char.from_buffer(page)
        fcntl.ioctl(faults, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
        fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack("4Q", C.addressof(place), mmap.PAGESIZE, REGISTER_MISSING, 0))
        arguments = (sock.fileno(), socket.IPPROTO_IP, IP_OPTIONS, C.byref(place), NO_OPTIONS)
        caller = threading.Thread(target=libc.setsockopt, args=arguments, name="owner", daemon=True)
        caller.start()
        try:
            os.read(faults, 32)  # the call has come to the page
            yield
        finally:
            os.close(faults)  # zeros, then
            caller.join()
            del place, arguments
