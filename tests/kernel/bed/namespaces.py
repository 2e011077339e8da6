"""One network namespace: commands, functions, sockets and sysctls inside it, used from the test process."""

import ctypes
import os
import socket as sockets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
SO_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h, since Linux 5.14
PREFIX = f"tfotop-test-{os.getpid()}-"
NETNS_DIR = Path("/run/netns")

_libc = ctypes.CDLL(None, use_errno=True)


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Namespace:
    """A named network namespace; everything opened through it is closed and ended with it."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.name = PREFIX + label
        self.v4 = self.v6 = ""  # its first address of each family, set by the bed's links
        self._closing = ExitStack()
        self._sockets: list[sockets.socket] = []
        self.made_ns = time.time_ns()
        command("ip", "netns", "add", self.name)
        try:
            # Duplicate address detection would delay IPv6 by a second or two (net/ipv6/addrconf.c, accept_dad).
            self.sysctl("net.ipv6.conf.default.accept_dad", 0)
            self.sysctl("net.ipv6.conf.default.router_solicitations", 0)
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        return NETNS_DIR / self.name

    @property
    def inode(self) -> int:
        """The number that /proc/PID/ns/net shows; reused by the kernel when the namespace is gone."""
        return self.path.stat().st_ino

    @property
    def net_cookie(self) -> int:
        """`net->net_cookie`: unique for the life of the system."""
        with self._open(sockets.AF_INET, sockets.SOCK_DGRAM, 0) as sock:
            return int.from_bytes(sock.getsockopt(sockets.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function` in a thread that has entered the namespace; its result or its exception.

        What it opens stays in the namespace for good; /proc must be read as /proc/thread-self.
        """
        outcome: list[T] = []
        failure: list[BaseException] = []

        def inside() -> None:
            try:
                self._enter()
                outcome.append(function(*args))
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=inside, name=f"in {self.name}", daemon=True)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    def socket(
        self, family: int = sockets.AF_INET, kind: int = sockets.SOCK_STREAM, protocol: int = 0
    ) -> sockets.socket:
        """A socket of this namespace for use from any thread; closed with the bed.

        cgroup hooks see the process that calls (the test), the packets belong to this namespace.
        """
        sock = self._open(family, kind, protocol)
        if len(self._sockets) > 1000:  # long tests make many
            self._sockets = [one for one in self._sockets if one.fileno() >= 0]
        self._sockets.append(sock)
        return sock

    def popen(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a program inside; it is ended with the bed. nsenter, unlike `ip netns exec`, leaves /sys as it is."""
        process = subprocess.Popen(["nsenter", f"--net={self.path}", "--", *argv], **options)
        self._closing.callback(end, process)
        return process

    def command(self, *argv: str, **options: Any) -> str:
        """Run a program inside to its end; its standard output, or RuntimeError with what it complained of."""
        return command("nsenter", f"--net={self.path}", "--", *argv, **options)

    def ip(self, *args: str) -> str:
        return command("ip", "-n", self.name, *args)

    def mac(self, device: str) -> str:
        return self.ip("-o", "link", "show", device).split("link/ether ")[1].split()[0]

    def sysctl(self, name: str, value: int | str | None = None) -> str:
        """Read, or write and read, a sysctl of this namespace; the name as sysctl(8) spells it."""
        file = Path("/proc/sys") / name.replace(".", "/")

        def access() -> str:
            if value is not None:
                file.write_text(f"{value}\n")
            return file.read_text().strip()

        return self.run(access)

    def closing(self, resource: C) -> C:
        """Close `resource` with this namespace, before the namespace goes."""
        self._closing.callback(resource.close)
        return resource

    def close(self) -> None:
        try:
            self._closing.close()
        finally:
            for sock in self._sockets:
                sock.close()
            command("ip", "netns", "delete", self.name)

    def _enter(self) -> None:
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns to {self.name}")
        finally:
            os.close(fd)

    def _open(self, family: int, kind: int, protocol: int) -> sockets.socket:
        return self.run(sockets.socket, family, kind, protocol)


def command(*argv: str, **options: Any) -> str:
    """Standard output of a program that must succeed; RuntimeError with its standard error if it does not."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return str(done.stdout)


def end(process: "subprocess.Popen[Any]") -> None:
    """End a program that we started: politely, then not. Its pipes are closed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
