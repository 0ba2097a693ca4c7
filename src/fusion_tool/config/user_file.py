"""The user's configuration file: where it lies, what stands in it, and why no other is read unless it is named."""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.config.storage import config_path, modified_at, read_toml
from fusion_tool.errors import ConfigError
from fusion_tool.events import plain_line

FILE = "fusion.toml"
_NAME = re.compile(r"[A-Za-z0-9][\w-]*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConfigFile:
    """What stands in a configuration file; its paths are relative to its folder no more.

    Args:
        path: The file.
        settings: Its settings, not checked yet, its `preset` among them.
        presets: The presets that it makes, by name.
    """

    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def locate(self, error: ConfigError) -> ConfigError:
        """Return `error` with the file in which it is to be mended."""
        if error.message.endswith(f"(in {self.path})"):
            return error
        return ConfigError(f"{error.message} (in {self.path})", field=error.field)


def user_file() -> ConfigFile | None:
    """Read the file in the user's configuration folder; `None` where there is none.

    Raises:
        ConfigError: It cannot be read, is not TOML, or a preset in it has no proper name.
    """
    path = config_path(FILE)
    return None if modified_at(path) is None else read_config_file(path)


def key_names() -> tuple[str, ...]:
    """Return the names of all keys that there are: the providers', and those that the user's file gives servers.

    Raises:
        ConfigError: The user's file cannot be read.
    """
    file = user_file()
    named = () if file is None else _named_keys([file.settings, file.presets])
    return (*dict.fromkeys((*KEY_NAMES, *named)),)


def _named_keys(value: Any) -> Iterator[str]:
    # In any table: a seat's, a preset's, a role's. What is no name the schema refuses.
    match value:
        case dict():
            if isinstance(name := value.get("api_key_env"), str):
                yield name
            yield from _named_keys([*value.values()])
        case list():
            for part in value:
                yield from _named_keys(part)


def read_config_file(path: Path) -> ConfigFile:
    """Read a configuration file.

    Args:
        path: The file; `documents` in it is relative to its folder.

    Raises:
        ConfigError: It cannot be read, is not TOML, or a preset in it has no proper name.
    """
    settings = read_toml(path, field="config")
    presets = settings.pop("presets", {})
    file = ConfigFile(path, settings, presets)
    if not isinstance(presets, dict):
        raise file.locate(ConfigError("expected tables: [presets.NAME]", field="presets"))
    for name, table in presets.items():
        if not isinstance(table, dict):
            raise file.locate(ConfigError("expected a table: [presets.NAME]", field=f"presets.{name}"))
        if not _NAME.fullmatch(name):
            wrong = f"'{plain_line(name, 40)}' has other characters than letters, digits, '-' and '_'"
            raise file.locate(ConfigError(wrong, field="presets"))
    # The working folder is no help: the same file is read by servers and by commands in any folder.
    for table in (settings, *presets.values()):
        _anchor_documents(table, path.parent)
    return file


def mention_unread_file() -> None:
    """Say once how to use the `fusion.toml` in the working folder, where one lies there.

    It is not read: whoever wrote a repository would else choose, by `base_url` and `api_key_env`, where the keys of
    those go who work in it.
    """
    near, own = Path(FILE), config_path(FILE)
    with suppress(OSError):
        if near.is_file() and not (own.is_file() and own.samefile(near)):
            status = near.stat()
            _mention(status.st_dev, status.st_ino)


@cache
def _mention(_device: int, _number: int) -> None:
    _log.warning(
        "the fusion.toml in this folder is not read unless it is named: --config %s, in Python config=%r; "
        "read always is %s", FILE, FILE, config_path(FILE),
    )  # fmt: skip


def _anchor_documents(table: dict[str, Any], folder: Path) -> None:
    match table.get("documents"):
        case {"path": named}:
            table["documents"]["path"] = _below(folder, named) or None  # an empty text is no path
        case None:
            pass
        case named:
            table["documents"] = _below(folder, named)


def _below(folder: Path, named: Any) -> Any:
    """Return paths of a file as they are meant: relative to its folder; what is no path is left to the schema."""
    if isinstance(named, list):
        return [_below(folder, path) for path in named]
    return folder / named if isinstance(named, str) and named else named
