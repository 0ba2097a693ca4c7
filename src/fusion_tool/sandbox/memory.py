"""How much memory a whole sandbox holds: resource limits bound each process, never their sum."""

import asyncio
import os
from pathlib import Path

from fusion_tool.sandbox.arguments import WORK

_EVERY_SECONDS = 0.05
_HELD = (b"RssAnon:", b"RssShmem:", b"VmSwap:")  # mapped program files are the page cache's, not the sandbox's
_INODE_BYTES = 1024  # what the kernel spends on an empty file, which the size of a tmpfs does not count


def held(init: int) -> int:
    """Bytes of memory that a sandbox's processes and the names of its files take.

    Pages shared between processes count once for each, so that the sum errs upwards only; the content of files
    is not in it, as `disk_mb` bounds that.

    Args:
        init: Process id of the sandbox's first process.
    """
    return _in_processes(init) + _INODE_BYTES * _files(init)


async def exceeded(init: int, limit: int) -> None:
    """Return as soon as the sandbox is seen to hold more than `limit` bytes."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        if await asyncio.to_thread(held, init) > limit:
            return


def _in_processes(root: int) -> int:
    total, waiting = 0, [str(root)]
    while waiting:
        process = Path("/proc", waiting.pop())
        try:
            lines = (process / "status").read_bytes().splitlines()
            children = b" ".join(each.read_bytes() for each in process.glob("task/*/children"))
        except OSError:  # it has ended meanwhile
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_HELD))
        waiting += children.decode().split()
    return total


def _files(init: int) -> int:
    try:
        system = os.statvfs(f"/proc/{init}/root{WORK}")
    except OSError:
        return 0
    return system.f_files - system.f_ffree
