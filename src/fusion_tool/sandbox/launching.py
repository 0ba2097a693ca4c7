"""Starting a sandbox so that no cancellation, however early, leaves one behind."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fusion_tool.sandbox.arguments import ACCOUNT, INPUT, bubblewrap_arguments
from fusion_tool.sandbox.box import Box
from fusion_tool.sandbox.inputs import read_inputs
from fusion_tool.sandbox.seccomp import program
from fusion_tool.sandbox.values import ShellLimits

_NOBODY = 65534
_MIB = 1024 * 1024


@asynccontextmanager
async def sandboxed(
    bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits
) -> AsyncIterator[Box]:
    """One running sandbox, destroyed on the way out.

    Args:
        bwrap: The bubblewrap program.
        command: The command line for the shell.
        files: Relative name below `/input` -> content, or the host file that holds it.
        limits: What the command may use.

    Raises:
        ConfigError: Something handed in cannot be.
        OSError: Bubblewrap cannot be executed.
    """
    box = await _finished(asyncio.ensure_future(_launch(bwrap, command, files, limits)))
    try:
        yield box
    finally:
        await box.destroy()
        box.close()


async def _finished(launching: asyncio.Future[Box]) -> Box:
    # The milliseconds until the sandbox's first process is known are not interrupted: killed in between,
    # bubblewrap could leave that process waiting for ever.
    try:
        return await asyncio.shield(launching)
    except asyncio.CancelledError:
        box = await launching
        await box.destroy()
        box.close()
        raise


async def _launch(bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits) -> Box:
    with ExitStack() as theirs, ExitStack() as ours:  # theirs: bubblewrap has copies of them once it is started
        inside, seccomp = await asyncio.to_thread(_open_inputs, theirs, files, limits)
        output, output_end = _pipe(theirs, ours)
        status, status_end = _pipe(theirs, ours)
        arguments = await asyncio.to_thread(
            bubblewrap_arguments, command, limits, files=inside, seccomp=seccomp, status=status_end
        )
        executable = os.open(bwrap, os.O_PATH | os.O_CLOEXEC)
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
                **_dropped(),
            )
        )
        ours.pop_all()  # the box closes them
    return await Box(process, output, status).opened()


def _open_inputs(
    stack: ExitStack, files: Mapping[str, Path | bytes], limits: ShellLimits
) -> tuple[dict[str, int], int]:
    contents = {"/etc/passwd": ACCOUNT}
    contents |= {f"{INPUT}/{name}": text for name, text in read_inputs(files, limits.input_mb * _MIB).items()}
    inside = {path: _in_memory(stack, content) for path, content in contents.items()}
    return inside, _in_memory(stack, program() or b"")


def _in_memory(stack: ExitStack, content: bytes) -> int:
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


def _dropped() -> dict[str, Any]:
    """Whom to run bubblewrap as.

    Root gives up its user before bubblewrap starts: root mapped to another id inside would still own root's
    files, and the kernel exempts root from the limit on processes. The other user may have no way to the folder
    that holds bubblewrap, which is why it is executed through a descriptor; O_PATH gives no other right.
    """
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": ()} if os.geteuid() == 0 else {}
