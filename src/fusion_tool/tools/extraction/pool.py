"""The worker processes that parse, and their supervision.

HTML and PDF have separate workers, because a process that has loaded both parsers has less memory left for the page. A
few threads wait for the workers, so that no event loop blocks and no loop owns a worker.
"""

import asyncio
import atexit
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import fusion_tool
from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.protocol import BrokenFrameError, read_frame, write_frame

if TYPE_CHECKING:
    from io import BufferedReader, BufferedWriter

# All variables that the interpreter may need to start; the others, secrets among them, are not handed on.
_ENVIRONMENT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_MAX_REPLY = 16 << 20


def _environment() -> dict[str, str]:
    variables = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    package_root = str(Path(fusion_tool.__file__).parent.parent)
    # The empty entry means the working folder, in which a file named like a library could wait.
    paths = [str(Path(entry).absolute()) for entry in sys.path if entry]
    return variables | {"PYTHONPATH": os.pathsep.join([*paths, package_root]), "PYTHONUTF8": "1"}


class Worker:
    """One process that parses bodies of one kind for one caller at a time; every method blocks.

    Raises:
        ExtractionError: The process cannot be started.
    """

    def __init__(self, kind: str) -> None:
        # `-P`: `-m` would put the working folder in front of the path.
        command = [sys.executable, "-P", "-m", "fusion_tool.tools.extraction.worker", kind]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is for the parent
            )
        except OSError as error:
            raise ExtractionError(f"the extraction process cannot be started ({error})") from error
        self._stdin = cast("BufferedWriter", self._process.stdin)
        self._stdout = cast("BufferedReader", self._process.stdout)
        self.is_worn = False

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def parse(self, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        """Parse `data` in the process.

        Args:
            job: See `run_in_worker`.
            data: The body.

        Raises:
            ExtractionError: The parser refused, or ran out of `job["timeout"]` seconds or of memory.
        """
        timeout = job["timeout"]
        deadline = monotonic() + timeout
        # Killed from outside: while a parser hangs in C code, Python handles no signal. The read below then ends.
        alarm = threading.Timer(timeout, self._process.kill)
        alarm.daemon = True
        alarm.start()
        self.is_worn = True  # until a whole reply has come: half a reply in the pipe would be the next job's
        try:
            write_frame(self._stdin, job, data)
            reply, text = read_frame(self._stdout, _MAX_REPLY)
        except (OSError, ValueError, BrokenFrameError) as error:
            if monotonic() >= deadline:
                raise ExtractionError(f"parsing took more than {timeout:g} s") from error
            raise ExtractionError("the parser crashed or ran out of memory") from error
        finally:
            alarm.cancel()
        self.is_worn = bool(reply.get("worn"))
        if "error" in reply:
            raise ExtractionError(str(reply["error"]))
        forward = reply.get("forward")
        return Extracted(
            title=str(reply.get("title", "")),
            text=text.decode("utf-8", "replace"),
            forward=str(forward) if forward is not None else None,
        )

    def kill(self) -> None:
        """End the process at once; safe from any thread, also while another one waits for it."""
        self._process.kill()

    def close(self) -> None:
        """End the process and close its pipes; not while another thread uses it."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close the pipes alone, in a forked child: the process is the parent's."""
        # The raw ends: the buffer above may hold half a message, which must not be flushed.
        self._stdin.raw.close()
        self._stdout.raw.close()
        # `Popen` warns of a process without a return code when it is collected; this one is not ours to wait for.
        self._process.returncode = self._process.returncode or 0


_SIZES = {"html": 2, "pdf": 1, "document": 1}
"""The number of workers of each kind."""


class _Call:
    """A job and the worker at work on it, so that a cancelled caller can stop that worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._cancelled = False

    def hand_to(self, worker: Worker | None) -> None:
        """Note the worker at work; `None` once it is done, when it may be another call's already."""
        with self._lock:
            self._worker = worker
            if worker is not None and self._cancelled:
                worker.kill()

    def cancel(self) -> None:
        """Kill the worker at work, or the next one to take this call."""
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.kill()


class _WorkerLane:
    """The workers for one kind of body, each used by one thread at a time."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._threads = ThreadPoolExecutor(_SIZES[kind], thread_name_prefix="fusion-extraction")
        self._idle: list[Worker] = []

    async def run(self, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        """Run one job in the next worker that is free; see `run_in_worker`."""
        call = _Call()
        future = self._threads.submit(self._run, call, job, data)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            call.cancel()
            raise

    def _run(self, call: _Call, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        worker = self._take()
        call.hand_to(worker)
        try:
            return worker.parse(job, data)
        finally:
            call.hand_to(None)
            if worker.is_worn:
                worker.close()
            else:
                self._idle.append(worker)

    def _take(self) -> Worker:
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:  # not asked before: another thread may take the last one between the look and the pop
                return Worker(self._kind)
            if worker.is_alive:
                return worker
            worker.close()

    def close(self) -> None:
        """End the idle workers."""
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> None:
        """Close the pipes of the idle workers, in a forked child."""
        for worker in self._idle:
            worker.forget()


_lanes: dict[str, _WorkerLane] = {}


async def run_in_worker(job: dict[str, Any], data: bytes | memoryview) -> Extracted:
    """Run one job in a worker of its kind.

    Args:
        job: `kind` (`html`, `pdf` or `document`), `media`, `charset` and `url` (`None` if unknown), `timeout` in
            seconds of work.
        data: The body.

    Raises:
        ExtractionError: The parser failed, or passed a limit.
    """
    kind = job["kind"]
    lane = _lanes.get(kind) or _lanes.setdefault(kind, _WorkerLane(kind))
    return await lane.run(job, data)


@atexit.register
def _close() -> None:
    for lane in _lanes.values():
        lane.close()


def _forget() -> None:
    # A forked child has none of the threads, and the workers would get two callers' frames mixed.
    for lane in _lanes.values():
        lane.forget()
    _lanes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
