"""The start of a sandbox, which no cancellation, however early, leaves running; and its input files.

Input files are read here and copied in, so that no path of the host's is mounted for them.
"""

import asyncio
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from fusion_tool.errors import ConfigError
from fusion_tool.tools.sandbox.bubblewrap import ACCOUNT, INPUT, ShellLimits, bubblewrap_arguments
from fusion_tool.tools.sandbox.process import SandboxProcess
from fusion_tool.tools.sandbox.seccomp import seccomp_program

_NAME_BYTES = 255  # NAME_MAX of Linux file systems


def read_inputs(files: Mapping[str, Path | bytes], limit: int) -> dict[str, bytes]:
    """Read the files that a command is given.

    Args:
        files: The content, or the host file that holds it, by relative name below `/input`.
        limit: The most bytes of all of them together.

    Raises:
        ConfigError: A name that leaves `/input`, a symbolic link or anything else that is no plain file, an
            unreadable file, or more than `limit` bytes.
    """
    contents: dict[str, bytes] = {}
    room = limit
    for name, source in files.items():
        _check_name(name)
        content = source if isinstance(source, bytes) else _read(name, source, room + 1)  # one byte more shows excess
        room -= len(content)
        if room < 0:
            raise ConfigError(f"more than {limit} bytes handed in; raise input_mb", field=_field(name))
        contents[name] = content
    return contents


def _field(name: str) -> str:
    return f"files[{name!r}]"


def _check_name(name: str) -> None:
    # "a//b" and "./a" are refused, too: two names for one file would overwrite each other.
    parts = name.split("/")
    is_plain = all(part not in {"", ".", ".."} and len(os.fsencode(part)) <= _NAME_BYTES for part in parts)
    if not is_plain or not name.isprintable() or str(PurePosixPath(name)) != name:
        raise ConfigError("use a plain relative name without '..'", field=_field(name))


def _read(name: str, path: Path, at_most: int) -> bytes:
    # A link in a folder that others can write to could name any file of the user's; opening a pipe must not block.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "is a symbolic link" if path.is_symlink() else (error.strerror or "cannot be read")
        raise ConfigError(f"{path} {reason}; hand in a plain file", field=_field(name)) from error
    # Asked of the open file, not of the path, which may name another file by now.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is no plain file; hand in a plain file", field=_field(name))
    with os.fdopen(descriptor, "rb") as file:
        return file.read(at_most)


_NOBODY = 65534
_MIB = 1024 * 1024


@asynccontextmanager
async def start_sandbox(
    bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits
) -> AsyncIterator[SandboxProcess]:
    """Start a sandbox, which is destroyed when the block ends.

    Args:
        bwrap: The bubblewrap program.
        command: The command line for the shell.
        files: The content, or the host file that holds it, by relative name below `/input`.
        limits: What the command may use.

    Raises:
        ConfigError: One of the files cannot be handed in.
        OSError: Bubblewrap cannot be executed.
    """
    box = await _finish(asyncio.ensure_future(_launch(bwrap, command, files, limits)))
    try:
        yield box
    finally:
        await box.destroy()
        box.close()


async def _finish(launch: asyncio.Future[SandboxProcess]) -> SandboxProcess:
    # The milliseconds until the sandbox's first process is known are not interrupted: if bubblewrap were killed in
    # between, that process could wait for ever.
    try:
        return await asyncio.shield(launch)
    except asyncio.CancelledError:
        box = await launch
        await box.destroy()
        box.close()
        raise


async def _launch(bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits) -> SandboxProcess:
    # Ends of ours are closed only if the start fails; those of the child in any case, since it has copies once it runs.
    with ExitStack() as theirs, ExitStack() as ours:
        inside, seccomp = await asyncio.to_thread(_open_inputs, theirs, files, limits)
        output, output_end = _pipe(theirs, ours)
        status, status_end = _pipe(theirs, ours)
        arguments = await asyncio.to_thread(
            bubblewrap_arguments, command, limits, files=inside, seccomp=seccomp, status=status_end
        )
        executable = os.open(bwrap, os.O_PATH | os.O_CLOEXEC)  # see `_drop_user`
        theirs.callback(os.close, executable)
        process: subprocess.Popen[bytes] = await asyncio.to_thread(
            partial[Any](
                subprocess.Popen,  # uvloop's own subprocesses cannot change their user
                [f"/proc/self/fd/{executable}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output_end,
                stderr=output_end,
                env={},  # the sandbox's first process keeps its environment where the command can read it
                pass_fds=(executable, seccomp, status_end, *inside.values()),
                start_new_session=True,
                **_drop_user(),
            )
        )
        ours.pop_all()  # the box closes them
    return await SandboxProcess(process, output, status).wait_until_open()


def _open_inputs(
    stack: ExitStack, files: Mapping[str, Path | bytes], limits: ShellLimits
) -> tuple[dict[str, int], int]:
    contents = {"/etc/passwd": ACCOUNT}
    contents |= {f"{INPUT}/{name}": text for name, text in read_inputs(files, limits.input_mb * _MIB).items()}
    inside = {path: _in_memory(stack, content) for path, content in contents.items()}
    return inside, _in_memory(stack, seccomp_program() or b"")


def _in_memory(stack: ExitStack, content: bytes) -> int:
    # Not a pipe, which holds 64 KiB and would block, and not a file on disk, which could be left behind.
    descriptor = os.memfd_create("input")
    stack.callback(os.close, descriptor)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _pipe(theirs: ExitStack, ours: ExitStack) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    ours.callback(os.close, read_end)
    theirs.callback(os.close, write_end)
    os.set_blocking(read_end, False)
    return read_end, write_end


def _drop_user() -> dict[str, Any]:
    """Return the arguments of `Popen` for the user that runs bubblewrap; empty where that is the user we are.

    Root gives up its user before bubblewrap starts: root mapped to another id inside would still own root's files, and
    the kernel exempts root from the limit on processes. The other user may have no access to the folder that holds
    bubblewrap, which is why it is executed through a descriptor; O_PATH gives no other right.
    """
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": ()} if os.geteuid() == 0 else {}
