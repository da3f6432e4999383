"""The programs that are dumped, and the options that CRIU needs for each."""

import os
import subprocess

SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs")


class Program:
    """One program. `root` is its root directory below the home of a cell if it has namespaces of its own."""

    def __init__(self, name, about, both=(), dump=(), restore=(), root=None, short=False, engine=None):
        self.name = name
        self.about = about
        self.dump_options = ["--network-lock", "skip", *both, *dump]
        self.restore_options = [*both, *restore]
        self.root = root
        self.short = short
        self.engine = engine
        self.source = "container" if engine else name

    def build(self, directory, compiler):
        """Compiles the program and returns its path."""
        target = os.path.join(directory, self.name)
        source = os.path.join(SOURCES, self.source + ".c")
        static = ["-static"] if self.root or self.engine else []
        command = [compiler, "-O1", *static, "-o", target, source, "-lpthread"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return target


PROGRAMS = [
    Program("threads", "threads with names, nice values, policies and signal masks", short=True),
    Program("zombies", "children that ended and were not waited for"),
    Program("sessions", "sessions, process groups, a stopped task"),
    Program("pipes", "pipes and FIFOs with bytes in them", short=True),
    Program("files", "regular files, shared descriptor tables, mapped files"),
    Program("unix", "unix sockets with queues and descriptors in flight", short=True),
    Program("tcp", "an established TCP connection, a listener, UDP", both=["--tcp-established"]),
    Program("memfds", "memfds, shared and sealed", short=True),
    Program("sysv", "SysV segments, semaphores and queues in an IPC namespace", short=True),
    Program("ghosts", "deleted files, a deleted directory and a deleted FIFO", short=True),
    Program(
        "timers",
        "timers, event descriptors, epoll, inotify, pending signals, a pidfd",
        dump=["--irmap-scan-path", "/run/crit-verdicts"],
        short=True,
    ),
    Program("locks", "file locks and a lease", both=["--file-locks"]),
    Program("terminals", "pseudo terminals inside the program"),
    Program("seccomp", "seccomp filters and credentials"),
    Program("shared", "shared anonymous memory across fork"),
    Program("userns", "a user namespace with two users", root="rootfs"),
    Program("namespaces", "process, mount, host name, IPC and network namespaces", root="rootfs", short=True),
    Program("mounts", "tmpfs and bind mounts in a mount namespace", root="rootfs"),
    Program("runc", "a container by runc", engine="runc"),
    Program("podman", "a container by podman", engine="podman"),
]
