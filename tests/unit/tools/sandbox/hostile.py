"""Hostile commands as data, so that root and an ordinary user meet the same ones.

Run as a program it executes all of them and prints, as JSON, what went wrong: `{}` where nothing did. It needs the
standard library alone, so that any interpreter that another user may execute can run it.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fusion_tool.tools.sandbox.bubblewrap import ShellLimits, ShellResult
from fusion_tool.tools.sandbox.shell import run

SECRET = "parent-secret-7391"  # in the environment of whoever runs the table
QUICK = ShellLimits(seconds=10, memory_mb=256, processes=32, disk_mb=8, file_mb=16, output_bytes=8_000)


@dataclass(frozen=True)
class Attempt:
    """A command, and what must hold of its result."""

    command: str
    holds: Callable[[ShellResult], bool]
    limits: ShellLimits = QUICK


def python(code: str) -> str:
    return f"python3 - <<'END'\n{code}\nEND"


def said(*words: str) -> Callable[[ShellResult], bool]:
    return lambda result: result.exit_code == 0 and all(word in result.output for word in words)


def never_said(*words: str) -> Callable[[ShellResult], bool]:
    return lambda result: result.exit_code is not None and not any(word in result.output for word in words)


def refused(result: ShellResult) -> bool:
    return result.exit_code not in {0, None} and "BREACH" not in result.output


ATTEMPTS = {
    "own environment": Attempt("env; cat /proc/*/environ | tr '\\0' '\\n'", never_said(SECRET)),
    "other processes": Attempt("ls -d /proc/[0-9]* | wc -l; cat /proc/*/cmdline", never_said("hostile.py", "pytest")),
    "shadow": Attempt("cat /etc/shadow && echo BREACH", refused),
    "home folders": Attempt("ls -A /root /home; ls -A /root /home 2>/dev/null | grep . && echo BREACH", refused),
    "the project": Attempt(f"ls {Path(__file__).parent} && echo BREACH", refused),
    "the root folder": Attempt(
        "ls -A / | tr '\\n' ' '",
        lambda result: (
            set(result.output.split())
            <= {"bin", "sbin", "lib", "lib32", "lib64", "usr", "etc", "proc", "dev", "work", "input", "tmp"}
        ),
    ),
    "the site's own /usr": Attempt("ls -d /usr/local /usr/etc /usr/src | grep . && echo BREACH", refused),
    "run folder and its sockets": Attempt("ls -d /run /var /sys /sys/fs/cgroup | grep . && echo BREACH", refused),
    "open descriptors": Attempt(
        "ls /proc/self/fd/ | tr '\\n' ' '; for fd in /proc/self/fd/*; do cat $fd/../../../etc/shadow; done", refused
    ),
    "write to /usr": Attempt("touch /usr/bin/x && echo BREACH", refused),
    "write to /": Attempt("touch /x && echo BREACH", refused),
    "write to /dev": Attempt("touch /dev/shm/x && echo BREACH", refused),
    "write to /etc": Attempt("echo 'root::0:0::/:/bin/sh' >> /etc/passwd && echo BREACH", refused),
    "write to the kernel": Attempt("echo x > /proc/sys/kernel/hostname && echo BREACH", refused),
    "make a device": Attempt("mknod /work/sda b 8 0 && echo BREACH", refused),
    "read a block device": Attempt("head -c 16 /dev/?da && echo BREACH", refused),
    "become root": Attempt("su -c id || sudo -n id || mount -o remount,rw /usr || chroot / id", refused),
    "set-user-id programs": Attempt("grep NoNewPrivs /proc/self/status", said("1")),
    "no capabilities": Attempt("grep -E 'Cap(Prm|Eff|Bnd|Amb):\\s+0+$' -c /proc/self/status", said("4")),
    "lift the limits": Attempt("ulimit -v unlimited || ulimit -u 9999 && echo BREACH", refused),
    "nested user namespace": Attempt("unshare --user --map-root-user id && echo BREACH", refused),
    "nested mount": Attempt("unshare --user --map-root-user --mount mount -t tmpfs x /work && echo BREACH", refused),
    "enter the host's namespaces": Attempt("nsenter --target 1 --all id && echo BREACH", refused),
    "kill outside": Attempt("kill -9 -1; kill -0 {host_pid} && echo BREACH", refused),
    "kill the sandbox's first process": Attempt("kill -9 1; kill -TERM 1; echo alive", said("alive")),
    "trace another process": Attempt(
        python("import ctypes; libc = ctypes.CDLL(None)\nprint(libc.ptrace(16, 1, 0, 0))"), said("-1")
    ),
    "loopback server": Attempt("echo hello > /dev/tcp/127.0.0.1/{port} && echo BREACH", refused),
    "other interfaces": Attempt(
        "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; grep -c . /proc/net/route",
        lambda result: result.output.split()[0] == "lo" and len(result.output.split()) == 2,
    ),
    "outgoing UDP": Attempt("echo hello > /dev/udp/192.0.2.1/53 && echo BREACH", refused),
    "abstract UNIX socket": Attempt(
        python("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0{abstract}')\nprint('BREACH')"), refused
    ),
    "the hypervisor's socket": Attempt(
        python("import socket\nsocket.socket(40, socket.SOCK_STREAM)\nprint('BREACH')"), refused
    ),
    "netlink": Attempt(python("import socket\nsocket.socket(16, socket.SOCK_RAW, 0)\nprint('BREACH')"), refused),
    "key ring": Attempt(python("import ctypes\nprint(ctypes.CDLL(None).syscall({keyctl}, 0, -3, 1))"), said("-1")),
    "memory without a process": Attempt(python("import os\nos.memfd_create('x')\nprint('BREACH')"), refused),
    "share our session": Attempt("cut -d' ' -f6 /proc/self/stat", lambda result: result.output == "1\n"),
    "push input to the terminal": Attempt(
        python("import fcntl\nfcntl.ioctl(open('/dev/tty'), 0x5412, b'x')\nprint('BREACH')"), refused
    ),
    "memory of one": Attempt(python("x = bytearray(1 << 30)\nprint('BREACH')"), refused),
    "memory of many": Attempt(
        python(
            "import os, signal\n"
            "for _ in range(8):\n"
            "    if os.fork() == 0:\n"
            "        x = bytearray(b'x') * (100 << 20)\n"
            "        signal.pause()\n"
            "signal.pause()"
        ),
        lambda result: result.out_of_memory and result.exit_code is None and result.seconds < 8,
    ),
    "disk": Attempt(
        "head -c 20M /dev/zero > a; head -c 20M /dev/zero > /tmp/b; du -sk . | cut -f1",
        lambda result: "No space left" in result.output and int(result.output.split()[-1]) <= 8 * 1024,
    ),
    "a file too large": Attempt(
        "head -c 3M /dev/zero > a; stat -c %s a", said("1048576"), ShellLimits(file_mb=1, disk_mb=8)
    ),
    "names of files": Attempt(
        python("n = 0\nwhile True:\n    open(str(n), 'w').close()\n    n += 1"),
        lambda result: result.out_of_memory,
        ShellLimits(seconds=20, memory_mb=64),
    ),
    "fork bomb": Attempt(
        "bomb() { bomb | bomb & }; bomb; sleep 1; echo survived", lambda result: result.seconds < 5, QUICK
    ),
    "number of processes": Attempt(
        python(
            "import os, signal\n"
            "n = 0\n"
            "try:\n"
            "    while True:\n"
            "        if os.fork() == 0: signal.pause()\n"
            "        n += 1\n"
            "except OSError:\n"
            "    print('few' if n < 32 else 'BREACH')"
        ),
        said("few"),
    ),
    "endless output": Attempt("yes", lambda result: result.truncated and len(result.output) == 8_000),
    "endless errors": Attempt("yes >&2", lambda result: result.truncated and len(result.output) == 8_000),
    "endless output in the background": Attempt("yes & sleep 60", lambda result: result.truncated),
    "endless time": Attempt(
        "echo first; sleep 60",
        lambda result: result.timed_out and result.output == "first\n" and result.seconds < 5,
        ShellLimits(seconds=0.3),
    ),
    "deaf to signals": Attempt(
        "trap '' TERM INT HUP; while :; do sleep 60; done",
        lambda result: result.timed_out and result.seconds < 5,
        ShellLimits(seconds=0.3),
    ),
    "silent and closed": Attempt("exec >&- 2>&-; sleep 60", lambda result: result.timed_out, ShellLimits(seconds=0.3)),
    "endless computing": Attempt(
        "while :; do :; done",
        lambda result: result.exit_code == 137 and not result.timed_out,
        ShellLimits(seconds=15, cpu_seconds=1),
    ),
}


async def attempt(name: str, port: int, abstract: str) -> str | None:
    """Carry out one attempt; what was wrong, `None` where it was held."""
    tried = ATTEMPTS[name]
    keyctl = {"x86_64": 250}.get(os.uname().machine, 219)
    command = tried.command
    for word, value in {"port": port, "abstract": abstract, "host_pid": os.getpid(), "keyctl": keyctl}.items():
        command = command.replace(f"{{{word}}}", str(value))
    result = await run(command, limits=tried.limits)
    return None if tried.holds(result) else repr(result)


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"hostile-{os.getpid()}"
        abstract.bind("\0" + name)
        abstract.listen()
        wrong = {each: await attempt(each, server.getsockname()[1], name) for each in ATTEMPTS}
    json.dump({"uid": os.getuid(), **{each: report for each, report in wrong.items() if report}}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
