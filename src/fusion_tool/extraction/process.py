"""A worker process as its parent sees it: started scrubbed, asked with a deadline, killed without regret."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import fusion_tool
from fusion_tool.extraction.frames import BrokenFrame, read_frame, write_frame
from fusion_tool.extraction.result import Extracted, ExtractionFailed

if TYPE_CHECKING:
    from io import BufferedReader, BufferedWriter

# All that the interpreter may need to start; everything else, secrets first, stays here.
_ENVIRONMENT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_MAX_REPLY = 16 << 20


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    package_root = str(Path(fusion_tool.__file__).parent.parent)
    paths = [str(Path(entry).absolute()) for entry in sys.path if entry]
    return kept | {"PYTHONPATH": os.pathsep.join([*paths, package_root]), "PYTHONUTF8": "1"}


class Worker:
    """One process that parses for one caller at a time; every method blocks.

    Raises:
        ExtractionFailed: The process cannot be started.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "fusion_tool.extraction.worker"]
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
            raise ExtractionFailed(f"the extraction process cannot be started ({error})") from error
        self._stdin = cast("BufferedWriter", self._process.stdin)
        self._stdout = cast("BufferedReader", self._process.stdout)
        self.worn = False

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ask(self, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        """Have `data` parsed as `job` says.

        Raises:
            ExtractionFailed: The parser refused, or ran out of `job["timeout"]` seconds or of memory.
        """
        timeout = job["timeout"]
        deadline = monotonic() + timeout
        alarm = threading.Timer(timeout, self._process.kill)
        alarm.daemon = True
        alarm.start()
        self.worn = True  # until a whole reply has come
        try:
            write_frame(self._stdin, job, data)
            reply, text = read_frame(self._stdout, _MAX_REPLY)
        except (OSError, ValueError, BrokenFrame) as error:
            if monotonic() >= deadline:
                raise ExtractionFailed(f"parsing took more than {timeout:g} s") from error
            raise ExtractionFailed("the parser crashed or ran out of memory") from error
        finally:
            alarm.cancel()
        self.worn = bool(reply.get("worn"))
        if "error" in reply:
            raise ExtractionFailed(str(reply["error"]))
        return Extracted(title=str(reply.get("title", "")), text=text.decode("utf-8", "replace"))

    def kill(self) -> None:
        """End the process at once; safe from any thread, also while another one asks."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of its pipes; not while another thread asks."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Let go of the pipes alone: after a fork the process is the parent's."""
        # The raw ends: the buffer above may hold half a message, which must not be flushed.
        self._stdin.raw.close()
        self._stdout.raw.close()
        self._process.returncode = self._process.returncode or 0  # it is not ours to wait for
