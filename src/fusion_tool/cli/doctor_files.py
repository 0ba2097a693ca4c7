"""The checks of `doctor` that look at the user's own files: the configuration, the keys, the documents' cache."""

import os
from collections.abc import Callable
from pathlib import Path

from fusion_tool.cli.doctor_findings import Check
from fusion_tool.config.key_file import FILE as KEY_FILE
from fusion_tool.config.key_file import stored_keys
from fusion_tool.config.loading import DEFAULT_KEY, preview_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import cache_path, config_path, make_private_folder
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


def documents_cache() -> list[Check]:
    """Return the check of the folder that keeps the indices of documents."""
    folder = cache_path("documents")
    try:
        make_private_folder(folder)
        indexes = [file.stat().st_size for file in folder.glob("*.sqlite")]
    except OSError as error:
        cause = f"{folder} cannot be used ({error.strerror})"
        return [Check("documents cache", ok=False, detail=cause, cure=f"mkdir -p {folder}")]
    # Making a folder that exists fails for nobody, writable or not.
    if not os.access(folder, os.W_OK):
        return [Check("documents cache", ok=False, detail=f"{folder} cannot be written", cure=f"chmod u+w {folder}")]
    size = f"{len(indexes)} indexed folders, {sum(indexes) / 1e6:.1f} MB"
    return [Check("documents cache", ok=True, detail=f"{size} in {folder}")]
