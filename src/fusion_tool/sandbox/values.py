"""What goes into the sandbox and what comes out of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """What one command may use.

    Attributes:
        seconds: Wall time from the call to the end of the command, the sandbox's start included.
        cpu_seconds: Processor time of each process.
        memory_mb: Address space of each process, and resident memory of all of them together, in MiB.
        processes: Processes and threads alive at once, the sandbox's own two included.
        open_files: Open files of each process.
        file_mb: Size of each file, in MiB.
        disk_mb: Size of all files under `/work` and `/tmp` together, in MiB.
        input_mb: Size of all handed-in files together, in MiB.
        output_bytes: Output kept; a command that writes more is ended.
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
    """What one command did.

    Attributes:
        exit_code: The command's exit status, 128 + n where signal n ended it; `None` where a limit of ours
            ended it first.
        output: Standard output and standard error as they came, decoded as UTF-8 with replacement.
        truncated: The command wrote more than `output_bytes` and was ended.
        timed_out: The command was ended at `seconds`.
        out_of_memory: The processes together held more than `memory_mb` and were ended.
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
        works: A command really ran in a sandbox.
        detail: One line: which bubblewrap and its version, or why not and what mends it.
        bwrap: The bubblewrap program, `None` where there is none that works.
    """

    works: bool
    detail: str
    bwrap: Path | None
