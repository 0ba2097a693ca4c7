"""`keys.env` in the user's configuration folder: keys that need not be environment variables.

A line is `NAME=KEY`, with `export` before it or not, empty, or begins with `#`. Neither a key nor anything else of a
wrong line is ever repeated.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.config.storage import STORAGE_ERRORS, cache_path, config_path, try_lock, write_private
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError

FILE = "keys.env"
_POLL_SECONDS = 0.02


def stored_keys() -> Mapping[str, str]:
    """Return the keys of the file by their names; none where there is no file.

    Raises:
        ConfigError: Others than its owner may read it, or a line is broken; it names the line and not what it holds.
    """
    path = config_path(FILE)
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    # Windows has no such bits: a user's folder is the user's there.
    if os.name == "posix" and stat.S_IMODE(state.st_mode) & 0o077:
        raise ConfigError(f"others may read {path}: chmod 600 {path}")
    return _read_rows(path, state.st_mtime_ns, state.st_size)


def store_key(name: str, key: str) -> Path:
    """Write a key into the file, in place of the one of its name, and return the file's path.

    Args:
        name: A name out of `KEY_NAMES`.
        key: The key.

    Raises:
        ConfigError: There is no such name, no key looks like this, or the file is broken already or cannot be written.
    """
    check_name(name)
    if not can_be_sent(key):
        raise ConfigError(f"this is no key for {name}: it is empty, or has characters that no key has")
    path = config_path(FILE)
    try:
        # Else two that store at once would each write the file without the other's key.
        with _hold_lock():
            stored_keys()  # refuses a file whose rows are not understood: nothing in it is lost
            rows = _lines(path) if path.exists() else []
            kept = [row for row in rows if row.removeprefix("export ").partition("=")[0].strip() != name]
            write_private(path, "".join(f"{row}\n" for row in [*kept, f"{name}={key}"]))
    except STORAGE_ERRORS as error:
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    return path


@contextmanager
def _hold_lock() -> Iterator[None]:
    while (lock := try_lock(cache_path(f"{FILE}.lock"))) is None:
        time.sleep(_POLL_SECONDS)
    with closing(lock):
        yield


def check_name(name: str) -> None:
    """Refuse what is no key's name, without repeating it: it may be a key in the name's place.

    Raises:
        ConfigError: It is none; it says which name comes nearest, if one comes near.
    """
    if name not in KEY_NAMES:
        raise ConfigError(f"no key has this name{did_you_mean(name, KEY_NAMES)}; there are {', '.join(KEY_NAMES)}")


def can_be_sent(key: str) -> bool:
    """Tell whether a key can stand in a header: an HTTP client would put one that cannot into its error's text."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


# By time and size: the file is looked at for every call, and read when it has changed.
@lru_cache(maxsize=1)
def _read_rows(path: Path, _modified: int, _size: int) -> Mapping[str, str]:
    keys: dict[str, str] = {}
    for number, row in enumerate(_lines(path), start=1):
        if not row or row.startswith("#"):
            continue
        name, equals, key = (part.strip() for part in row.removeprefix("export ").partition("="))
        key = key[1:-1] if key[:1] in ("'", '"') and key[:1] == key[-1:] else key
        if not equals:
            raise ConfigError(f"{path}, line {number}: expected NAME=KEY")
        try:
            check_name(name)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {number}: {error.message}") from None
        if not can_be_sent(key):
            raise ConfigError(f"{path}, line {number}: {name} is empty, or has characters that no key has")
        if name in keys:
            raise ConfigError(f"{path}, line {number}: {name} stands there twice")
        keys[name] = key
    return keys


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text") from None
