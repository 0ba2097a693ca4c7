"""A running sandbox: its two processes, its output, its memory, and its certain end.

Memory is measured here for the whole sandbox, since resource limits bound each process and never their sum.
"""

import asyncio
import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fusion_tool.tools.sandbox.bubblewrap import WORK

_START_SECONDS = 10
_CHUNK = 65_536


@dataclass(slots=True)
class SandboxProcess:
    """A running sandbox, which owns its descriptors.

    Attributes:
        process: Bubblewrap on the host's side; it ends when the command does.
        output: Read end of the command's standard output and error, non-blocking.
        status: Read end of bubblewrap's reports, non-blocking.
        handles: Process descriptors (pidfd_open(2)) of bubblewrap and of the sandbox's first process. Unlike
            ids, which the kernel uses again, they never come to mean another process.
        reports: Bubblewrap's reports so far, a JSON object a line: `child-pid`, then `exit-code`.
    """

    process: subprocess.Popen[bytes]
    output: int
    status: int
    handles: list[int] = field(default_factory=list)
    reports: bytearray = field(default_factory=bytearray)

    async def wait_until_open(self) -> "SandboxProcess":
        """Wait until bubblewrap has made the sandbox's first process, or has failed to; return this object."""
        self._keep_handle(self.process.pid)
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while self.init is None and await self._listen():
                    pass
        if self.init is not None:
            self._keep_handle(self.init)
        return self

    @property
    def init(self) -> int | None:
        """The process id of the sandbox's first process; `None` where bubblewrap failed before it existed."""
        return self._report("child-pid")

    @property
    def exit_code(self) -> int | None:
        """The command's exit status, known after `destroy`; `None` where the command did not end by itself."""
        return self._report("exit-code")

    async def destroy(self) -> None:
        """Kill whatever still runs, and return when nothing does.

        The kernel ends every process of a process namespace before the namespace's first process is gone
        (pid_namespaces(7)), so that waiting for this one waits for daemons, too.
        """
        for handle in self.handles:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for handle in self.handles:
            await readable(handle)
        self.process.wait()  # it has ended; this takes its exit status
        while await self._listen():
            pass

    def close(self) -> None:
        """Close the descriptors; to be called after `destroy`."""
        for descriptor in (*self.handles, self.output, self.status):
            os.close(descriptor)

    def _keep_handle(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            self.handles.append(os.pidfd_open(pid))

    async def _listen(self) -> bytes:
        await readable(self.status)
        chunk = os.read(self.status, _CHUNK)
        self.reports += chunk
        return chunk

    def _report(self, name: str) -> int | None:
        # A report may be half read.
        whole_lines = self.reports[: self.reports.rfind(b"\n") + 1].splitlines()
        values = (json.loads(line).get(name) for line in whole_lines)
        return next((value for value in values if isinstance(value, int)), None)


async def readable(descriptor: int) -> None:
    """Return when a pipe can be read or has ended, or when the process of a process descriptor has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_INTERVAL_SECONDS = 0.05
# Lines of /proc/PID/status (proc(5)). Not RssFile: mapped program files are the page cache's, not the sandbox's.
_MEMORY_LINES = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
# What the kernel spends on an empty file, which the size of a tmpfs does not count.
_INODE_BYTES = 1024


def memory_in_use(init: int) -> int:
    """Return the bytes of memory that a sandbox's processes and the names of its files take.

    Pages shared between processes count once for each, so that the sum errs upwards only. The content of files does not
    count: `disk_mb` bounds it.

    Args:
        init: Process id of the sandbox's first process.
    """
    return _in_processes(init) + _INODE_BYTES * _files(init)


async def wait_for_memory_limit(init: int, limit: int) -> None:
    """Return as soon as a sandbox holds more memory than `limit`.

    Args:
        init: Process id of the sandbox's first process.
        limit: In bytes, as `memory_in_use` counts them.
    """
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        if await asyncio.to_thread(memory_in_use, init) > limit:
            return


def _in_processes(root: int) -> int:
    # From parent to child and not through all of /proc, whose ids say nothing about whose namespace they are in.
    total, pids = 0, [str(root)]
    while pids:
        process = Path("/proc", pids.pop())
        try:
            lines = (process / "status").read_bytes().splitlines()
            children = b" ".join(path.read_bytes() for path in process.glob("task/*/children"))
        except OSError:  # it has ended meanwhile
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_MEMORY_LINES))
        pids += children.decode().split()
    return total


def _files(init: int) -> int:
    folder, host = Path(f"/proc/{init}/root{WORK}"), Path(WORK)
    try:
        # Until bubblewrap has changed its root, this is the host's folder of that name, if there is one.
        if host.exists() and folder.stat().st_dev == host.stat().st_dev:
            return 0
        system = os.statvfs(folder)
    except OSError:
        return 0
    return system.f_files - system.f_ffree
