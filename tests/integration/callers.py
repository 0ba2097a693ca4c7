"""Callers of a server, and files of keys."""

from pathlib import Path
from typing import Any

from fusion_tool.servers.keys import Caller, hash_key


def callers(*keys: str) -> tuple[Caller, ...]:
    """Callers without limits, as FUSION_SERVER_KEYS makes them."""
    return tuple(Caller(name=f"key-{place}", sha256=hash_key(key), metrics=True) for place, key in enumerate(keys, 1))


def caller(name: str, **terms: Any) -> Caller:
    """A caller whose key is `secret-NAME`."""
    return Caller(name=name, sha256=hash_key(f"secret-{name}"), **terms)


def keys_file(folder: Path, *names: str, terms: str = "") -> Path:
    """A file with one entry a name; the key of each is `secret-NAME`."""
    file = folder / "keys.toml"
    entries = (f'[{name}]\nsha256 = "{hash_key(f"secret-{name}")}"\n{terms}\n' for name in names)
    file.write_text("\n".join(entries), "utf-8")
    return file
