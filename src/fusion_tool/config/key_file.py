"""`keys.env` in the user's configuration folder: keys that need not be environment variables.

A line is `NAME=KEY`, with `export` before it or not, empty, or begins with `#`. A name is a provider's, or one that
`api_key_env` has in the user's own configuration file. Nothing of a wrong line is ever repeated: it may be a key.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.config.storage import STORAGE_ERRORS, cache_path, config_path, try_lock, write_private
from fusion_tool.config.user_file import FILE as CONFIG_FILE
from fusion_tool.config.user_file import key_names
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError

FILE = "keys.env"
LONGEST_KEY = 8192
"""Characters; servers take no longer headers."""
_POLL_SECONDS = 0.02
_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=(?P<key>.*)", re.DOTALL)


def stored_keys() -> Mapping[str, str]:
    """Return the keys of the file by their names; none where there is no file.

    Raises:
        ConfigError: It is no file, others than its owner may read it, or a line is broken; it names the line and not
            what it holds.
    """
    path = config_path(FILE)
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{path} is no file: move it away, then 'fusion-tool keys set' makes one")
    # Windows has no such bits: a user's folder is the user's there.
    if os.name == "posix" and stat.S_IMODE(state.st_mode) & 0o077:
        raise ConfigError(f"others may read {path}: chmod 600 {path}")
    return _read_rows(path, state.st_mtime_ns, state.st_size)


def store_key(name: str, key: str) -> Path:
    """Write a key into the file, in place of the one of its name, and return the file's path.

    Args:
        name: A name out of `key_names()`.
        key: The key; the whole line of a file, with its name, stands for the key in it.

    Raises:
        ConfigError: There is no such name, no key looks like this, or the file is broken already or cannot be written.
    """
    check_name(name)
    if line := _LINE.fullmatch(key):
        if line["name"] != name:
            raise ConfigError(f"this is the line of another key than {name}")
        key = _unquoted(line["key"])
    if not can_be_sent(key):
        raise ConfigError(f"this is no key for {name}: it is empty, too long, or has characters that no key has")
    path = config_path(FILE)
    try:
        # Else two that store at once would each write the file without the other's key.
        with _hold_lock():
            stored_keys()  # refuses a file whose rows are not understood: nothing in it is lost
            rows = _lines(path) if path.exists() else []
            kept = [row for row in rows if not ((line := _LINE.fullmatch(row)) and line["name"] == name)]
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
    if name not in KEY_NAMES and name not in (known := key_names()):
        # All names end alike: what is near must be alike in the rest, too.
        if hint := did_you_mean(name, known, cutoff=0.8):
            raise ConfigError(f"no key has this name{hint}")
        own = f"those that api_key_env names in {config_path(CONFIG_FILE)}"
        raise ConfigError(f"no key has this name; there are {', '.join(KEY_NAMES)}, and {own}")


def can_be_sent(key: str) -> bool:
    """Tell whether a key can stand in a header: an HTTP client would put one that cannot into its error's text."""
    return 0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() and " " not in key


# By time and size: the file is looked at for every call, and read when it has changed.
@lru_cache(maxsize=1)
def _read_rows(path: Path, _modified: int, _size: int) -> Mapping[str, str]:
    keys: dict[str, str] = {}
    for number, row in enumerate(_lines(path), start=1):
        if not row or row.startswith("#"):
            continue
        try:
            name, key = _read_row(row)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {number}: {error.message}") from None
        if name in keys:
            raise ConfigError(f"{path}, line {number}: {name} stands there twice")
        keys[name] = key
    return keys


def _read_row(row: str) -> tuple[str, str]:
    if not (line := _LINE.fullmatch(row)):
        raise ConfigError("expected NAME=KEY")
    name, key = line["name"], _unquoted(line["key"])
    check_name(name)
    if " #" in key:
        raise ConfigError(f"a comment needs a line of its own, not one behind {name}")
    if not can_be_sent(key):
        raise ConfigError(f"{name} is empty, or has characters that no key has")
    return name, key


def _unquoted(key: str) -> str:
    key = key.strip()
    return key[1:-1] if len(key) > 1 and key[0] in ("'", '"') and key[0] == key[-1] else key


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text") from None
