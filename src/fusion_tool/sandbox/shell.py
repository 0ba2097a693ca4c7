"""The sandboxed shell as its callers see it."""

from collections.abc import Mapping
from pathlib import Path

from fusion_tool.errors import SandboxUnavailable
from fusion_tool.sandbox.execution import execute
from fusion_tool.sandbox.probing import probe
from fusion_tool.sandbox.values import ShellLimits, ShellResult

DEFAULT_LIMITS = ShellLimits()


async def run(
    command: str, *, files: Mapping[str, Path | bytes] | None = None, limits: ShellLimits = DEFAULT_LIMITS
) -> ShellResult:
    """Run a command line in a fresh sandbox, with `bash` (`sh` where there is none).

    It starts in the empty folder `/work`; nothing of it is left when this returns. Cancelling the caller kills
    the sandbox at once.

    Args:
        command: The command line, as a shell reads it.
        files: Relative name below `/input` -> content, or the host file that holds it; read-only inside.
        limits: What the command may use.

    Returns:
        What it wrote and how it ended; a failing command is a result, not an error.

    Raises:
        SandboxUnavailable: There is no working sandbox here. A command never runs on the host.
        ConfigError: The command holds a NUL or is over 100,000 bytes long, or a file cannot be handed in.
    """
    found = await probe()
    if found.bwrap is None:
        raise SandboxUnavailable(found.detail)
    return await execute(found.bwrap, command, files or {}, limits)
