"""The sandbox as arguments of bubblewrap: what a command sees and may do; the types of limits, result and probe.

`docs/security.md` lists what each part denies. The system is an allow list: never `/` with something taken out.
"""

import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """The limits of one command.

    Attributes:
        seconds: Wall time from the call to the end of the command, with the sandbox's start.
        cpu_seconds: Processor time of each process.
        memory_mb: Address space of each process, and resident memory of all of them together, in MiB.
        processes: Processes and threads alive at once, with the sandbox's own two.
        open_files: Open files of each process.
        file_mb: Size of each file, in MiB.
        disk_mb: Size of all files under `/work` and `/tmp` together, in MiB.
        input_mb: Size of all handed-in files together, in MiB.
        output_bytes: Size of the output, in bytes; a command that writes more is ended.
    """

    seconds: float = 20
    cpu_seconds: int = 20
    memory_mb: int = 512
    processes: int = 64
    open_files: int = 256
    file_mb: int = 64
    disk_mb: int = 128
    input_mb: int = 64
    output_bytes: int = 32_000


@dataclass(frozen=True, slots=True)
class ShellResult:
    """The outcome of one command.

    Attributes:
        exit_code: The command's exit status, 128 + n where signal n ended it; `None` where one of the limits
            ended it first.
        output: Standard output and standard error as they came, decoded as UTF-8 with replacement.
        truncated: The command was ended because it wrote more than `output_bytes`.
        timed_out: The command was ended at `seconds`.
        out_of_memory: The command was ended because its processes together held more than `memory_mb`.
        seconds: Wall time of the call.
    """

    exit_code: int | None
    output: str
    truncated: bool
    timed_out: bool
    out_of_memory: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the sandbox works on this machine.

    Attributes:
        works: A command ran in a sandbox.
        detail: One line: bubblewrap's version and path, or why no sandbox works and what mends it.
        bwrap: The bubblewrap program, `None` where there is none that works.
    """

    works: bool
    detail: str
    bwrap: Path | None


INPUT, WORK = "/input", "/work"

# Parts of /usr that a package manager fills. Not /usr/local, /usr/etc and /usr/src: what a site puts there is its
# own (npmrc files with tokens, deployed applications, trusted certificates).
_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share")
_ROOT = ("bin", "sbin", "lib", "lib32", "lib64")
_ETC = ("/etc/alternatives", "/etc/ld.so.cache")

_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_MIB = 1024 * 1024

ACCOUNT = b"user:x:1000:1000::/work:/bin/sh\n"
"""The content of `/etc/passwd`: programs such as git and ssh fail where their user has no entry."""


def bubblewrap_arguments(
    command: str,
    limits: ShellLimits,
    *,
    files: Mapping[str, int],
    seccomp: int,
    status: int,
) -> list[str]:
    """Return the arguments of bubblewrap, after the program's own name.

    Args:
        command: The command line for the shell.
        limits: What it may use.
        files: Absolute path in the sandbox -> descriptor to copy its content from.
        seccomp: Descriptor of the system call filter.
        status: Descriptor that bubblewrap reports the process id and the exit status to.
    """
    shell = _shell()
    return [
        # `--unshare-all` only tries a user namespace, `--unshare-user` insists on one. A nested one would give
        # capabilities back, and with them much of the kernel's attack surface.
        *("--unshare-user", "--unshare-all", "--disable-userns", "--cap-drop", "ALL"),
        # A session of its own: a process could otherwise type into the caller's terminal (TIOCSTI).
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--uid", "1000", "--gid", "1000"),
        *_system(),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(limits.disk_mb * _MIB), "--tmpfs", WORK),
        # /tmp inside the work folder: on one tmpfs the two share one size.
        *("--dir", f"{WORK}/.tmp", "--symlink", f"{WORK.strip('/')}/.tmp", "/tmp"),  # noqa: S108 - in the sandbox
        *("--dir", INPUT),
        *(word for path, fd in files.items() for word in ("--file", str(fd), path)),
        # Last among the mounts, since bubblewrap works through them in order: the new root and /dev are tmpfs without a
        # size, in which a command could fill the memory.
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK),
        *("--setenv", "PATH", _PATH, "--setenv", "HOME", WORK, "--setenv", "LANG", "C.UTF-8"),
        *("--seccomp", str(seccomp), "--json-status-fd", str(status)),
        *("--", shell, "-c", _limiting_script(shell, limits), "sandbox", command),
    ]


@cache
def _shell() -> str:
    return shutil.which("bash", path=_PATH) or "/bin/sh"


@cache
def _system() -> tuple[str, ...]:
    words: list[str] = []
    for path in (*(f"/usr/{name}" for name in _USR), *(f"/{name}" for name in _ROOT), *_ETC):
        host = Path(path)
        if host.is_symlink():  # merged-usr: /bin is a link to usr/bin
            words += ("--symlink", str(host.readlink()), path)
        elif host.exists():
            words += ("--ro-bind", path, path)
    return tuple(words)


def _limiting_script(shell: str, limits: ShellLimits) -> str:
    """Return the script that gives up rights and then becomes the command.

    It runs inside, once the user namespace exists: from Linux 5.14 on, processes are counted per user and namespace, so
    that the user's processes on the host neither count nor suffer.
    """
    bash = shell.endswith("bash")
    blocks, count = (1024, "u") if bash else (512, "p")  # dash and busybox follow POSIX's 512-byte blocks
    rlimits = (
        ("c", 0, 1, resource.RLIMIT_CORE),
        ("t", limits.cpu_seconds, 1, resource.RLIMIT_CPU),
        ("v", limits.memory_mb * _MIB, 1024, resource.RLIMIT_AS),
        (count, limits.processes, 1, resource.RLIMIT_NPROC),
        ("n", limits.open_files, 1, resource.RLIMIT_NOFILE),
        ("f", limits.file_mb * _MIB, blocks, resource.RLIMIT_FSIZE),
    )
    steps = [f"ulimit -{letter} {_allowed_limit(kind, value) // unit}" for letter, value, unit, kind in rlimits]
    oom_first = "echo 1000 > /proc/self/oom_score_adj"  # the kernel, out of memory, is to take the sandbox first
    # The blank keeps a command that begins with a dash from being read as the shell's options.
    command = f'exec {shell} -c " $1" {shell}'
    return " && ".join([*steps, oom_first, command])


def _allowed_limit(kind: int, value: int) -> int:
    # A limit above the hard one is an error of `ulimit`, which would end the script before the command.
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
