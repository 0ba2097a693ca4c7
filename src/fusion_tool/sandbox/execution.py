"""One command: until it ends, or a limit ends it."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.sandbox.box import Box, readable
from fusion_tool.sandbox.launching import sandboxed
from fusion_tool.sandbox.memory import exceeded
from fusion_tool.sandbox.values import ShellLimits, ShellResult

_MIB = 1024 * 1024
_COMMAND_BYTES = 100_000  # the kernel takes 128 KiB in one argument
_CHUNK = 65_536


async def execute(bwrap: Path, command: str, files: Mapping[str, Path | bytes], limits: ShellLimits) -> ShellResult:
    """`run` with a given bubblewrap program, whether or not it is known to work."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    command = command.encode(errors="replace").decode()
    if "\0" in command or len(command.encode()) > _COMMAND_BYTES:
        raise ConfigError(f"at most {_COMMAND_BYTES} bytes and no NUL character", field="command")
    text = bytearray()
    async with sandboxed(bwrap, command, files, limits) as box:
        ended_by = await _first_end(box, text, limits, started + limits.seconds)
        await box.destroy()
        while len(text) <= limits.output_bytes and _read(box.output, text, limits.output_bytes):
            pass
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


async def _first_end(box: Box, text: bytearray, limits: ShellLimits, deadline: float) -> str:
    """Collect output until the command ends or is to be ended; tells which of the four it was."""
    ends = {
        asyncio.ensure_future(readable(box.handles[0])): "exit",
        asyncio.ensure_future(_overflow(box.output, text, limits.output_bytes)): "output",
    }
    if box.init is not None:
        ends[asyncio.ensure_future(exceeded(box.init, limits.memory_mb * _MIB))] = "memory"
    try:
        patience = max(0.0, deadline - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait(ends, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for end in done:
            end.result()
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
