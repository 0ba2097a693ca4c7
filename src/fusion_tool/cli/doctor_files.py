"""The checks of `doctor` of the user's own files: configuration and keys, data folder and documents' cache."""

import os
from collections.abc import Callable
from pathlib import Path

from fusion_tool.cli.doctor_findings import Check
from fusion_tool.config.key_file import FILE as KEY_FILE
from fusion_tool.config.key_file import stored_keys
from fusion_tool.config.loading import DEFAULT_KEY, preview_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import cache_path, config_path, data_path, make_private_folder
from fusion_tool.config.user_file import FILE as CONFIG_FILE
from fusion_tool.errors import ConfigError
from fusion_tool.routing.decide import warn_of_roles


def user_files() -> list[Check]:
    """Return the checks of the user's own files: the configuration, and the keys."""
    config, keys = config_path(CONFIG_FILE), config_path(KEY_FILE)
    return [
        _user_file("configuration", config, "fusion-tool init", preview_config),
        _user_file("keys file", keys, f"fusion-tool keys set {DEFAULT_KEY}", stored_keys),
    ]


def _user_file(name: str, path: Path, maker: str, read: Callable[[], object]) -> Check:
    if not path.exists():
        return Check(name, ok=False, detail=f"none at {path}", cure=maker)
    try:
        settings = read()
    except ConfigError as error:
        return Check(name, ok=False, detail=str(error))
    warning = warn_of_roles(settings) if isinstance(settings, FusionConfig) else None
    return Check(name, ok=True, detail="; ".join(filter(None, (f"{path} is read always", warning))))


def own_folders() -> list[Check]:
    """Return the checks of the folders that keep runs, and the indices of documents."""
    documents, data = cache_path("documents"), data_path()
    sizes = [file.stat().st_size for file in documents.glob("*.sqlite")]
    indexed = f"{len(sizes)} indexed folders, {sum(sizes) / 1e6:.1f} MB in {documents}"
    return [
        _folder("data folder", data, "XDG_DATA_HOME", f"runs and the models' health are kept in {data}"),
        _folder("documents cache", documents, "XDG_CACHE_HOME", indexed),
    ]


def _folder(name: str, folder: Path, variable: str, detail: str) -> Check:
    try:
        make_private_folder(folder)
    except OSError as error:
        # What it could not do, no command in the same place can.
        cause = f"{folder} cannot be made ({error.strerror}); {variable} names a place for it elsewhere"
        return Check(name, ok=False, detail=cause)
    # Making a folder that exists fails for nobody, writable or not.
    if not os.access(folder, os.W_OK):
        return Check(name, ok=False, detail=f"{folder} cannot be written", cure=f"chmod u+w {folder}")
    return Check(name, ok=True, detail=detail)
