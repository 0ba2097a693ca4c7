"""Keys: read from the environment's variables and the keys file, and kept out of everything that is shown."""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from fusion_tool.config.key_file import can_be_sent, stored_keys

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"\b(?:Bearer\s+\S+|(?:sk|pk|rk|gsk|tvly|xai|hf|AIza|key)[-_]?[A-Za-z0-9_\-]{12,})")
_TOKEN = re.compile(r"(?=.*[a-z])(?=.*\d)[A-Za-z0-9]{20,}")
"""Letters and digits without a pause: no name is written so."""
_SECRET_NAMES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST_SECRET = 8
"""A shorter value of such a variable may be any word."""
_SHORTEST_KEY = 4
_SHORTEST_PIECE = 6
"""Characters of a key, at the end of a text that was cut, from which on it counts as one."""

_read: set[str] = set()
"""The keys that were read: whatever their variables are called, they are secrets."""


def read_key(variable: str | None, stored: Mapping[str, str] | None = None) -> str:
    """Return the key in an environment variable, else of that name in the keys file; empty where there is none.

    Args:
        variable: The variable; `None` for none.
        stored: What the file holds, for who reads many keys; `None` looks at it.

    Raises:
        ConfigError: The variable is not set, and the keys file is broken or open to others.
    """
    if not variable:
        return ""
    if (key := os.environ.get(variable)) is None:
        key = (stored_keys() if stored is None else stored).get(variable, "")
    key = key.strip()
    remember_key(key)
    return key


def remember_key(key: str) -> None:
    """Keep a key, which came by another way than a variable, out of everything that is shown."""
    if len(key) >= _SHORTEST_KEY:
        _read.add(key)


def missing_key(variable: str) -> str | None:
    """Return what is wrong with the key in `variable`, and the cure; `None` where it can be sent."""
    key = read_key(variable)
    if not key:
        return f"{variable} is set but empty" if variable in os.environ else f"set {variable}"
    return None if can_be_sent(key) else f"the key in {variable} has characters that no key has"


def first_key_cure(variable: str) -> str:
    """Return what whoever has no key of a model's provider can do: one of three ways.

    Args:
        variable: The variable without a key.
    """
    is_empty = variable in os.environ
    first = f"{variable} is set but empty: give it a key, or set" if is_empty else f"set {variable}, or"
    return (
        f"{first} a vendor's key such as OPENAI_API_KEY, or choose the preset 'local', which needs no key "
        "(fusion-tool model install, then --preset local)"
    )


def is_variable_name(text: str) -> bool:
    """Tell whether `text` is the name of a variable, rather than a key in its place."""
    looks_like_key = _KEY.fullmatch(text) and any(char.islower() for char in text) and any(map(str.isdigit, text))
    if looks_like_key or _TOKEN.fullmatch(text):
        return text in os.environ
    return bool(_VARIABLE.fullmatch(text))


def scrub(text: str) -> str:
    """Replace every key that was read, every secret of the environment, and anything that looks like a key."""
    named = {value.strip() for name, value in os.environ.items() if name.endswith(_SECRET_NAMES)}
    secrets = _read | {value for value in named if len(value) >= _SHORTEST_SECRET}
    # The longest first: a key may hold another one.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            for written in {secret, quote(secret, safe=""), secret.replace("/", "\\/")}:
                text = text.replace(written, "[secret]")
            text = _without_piece(text, secret)
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "[secret]", text)
    return _KEY.sub("[secret]", text)


def _without_piece(text: str, secret: str) -> str:
    """Return `text` without the beginning of a secret at its end: texts are cut, and the cut may fall into a key."""
    body = text.removesuffix("…")
    for length in range(min(len(secret) - 1, len(body)), _SHORTEST_PIECE - 1, -1):
        if body.endswith(secret[:length]):
            return f"{body[:-length]}[secret]"
    return text
