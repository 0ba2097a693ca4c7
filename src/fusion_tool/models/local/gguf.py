"""What a GGUF file tells of its model before it is loaded: its window, its chat template, the memory that it takes.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The package `gguf` reads the same, in four seconds
instead of a tenth for a vocabulary of 150,000 words, and with numpy: a run asks at its start.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fusion_tool.errors import ConfigError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_CACHE_BYTES = 2
"""Bytes of a number in the server's cache of keys and values."""


@dataclass(frozen=True)
class GgufHeader:
    """The facts about one file.

    Args:
        architecture: The family of the network, such as `qwen2`.
        window: The longest context that it was trained for, in tokens; `None` where the file does not say.
        chat_template: How a conversation is written for it; `None` for a base model, which was not taught to converse.
        token_bytes: Bytes of the server's cache for each token of context; `None` where the file does not say.
        file_bytes: The file's size.
    """

    architecture: str
    window: int | None
    chat_template: str | None
    token_bytes: int | None
    file_bytes: int

    @property
    def takes_tools(self) -> bool:
        """Whether the template has a place for tools; whether the model then calls them is another question."""
        return self.chat_template is not None and "tools" in self.chat_template


def read_header(path: Path) -> GgufHeader:
    """Read a file's header.

    Args:
        path: The file.

    Raises:
        ConfigError: It is not there, is no GGUF file, or breaks off.
    """
    try:
        stat = path.stat()
        return _read_header(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", field="model") from None


# By size and time as well: a file that was replaced is another model.
@lru_cache(maxsize=16)
def _read_header(path: Path, size: int, modified: int) -> GgufHeader:  # noqa: ARG001 - part of the key
    if not path.is_file() or size < len(_MAGIC):
        raise ConfigError(f"{path} is no GGUF file", field="model")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != _MAGIC:
            raise ConfigError(f"{path} is no GGUF file", field="model")
        try:
            return _parse(_Cursor(data), size)
        # A length that points behind the end, a type or a text that cannot be: all of it is data.
        except (struct.error, ValueError, KeyError, OverflowError, MemoryError, RecursionError):
            raise ConfigError(f"{path} breaks off or is damaged: download it again", field="model") from None


def _parse(cursor: "_Cursor", size: int) -> GgufHeader:
    cursor.position = len(_MAGIC)
    if (version := cursor.scalar("I")) not in _VERSIONS:
        raise ValueError(version)
    tensors, pairs = cursor.scalar("Q"), cursor.scalar("Q")
    values: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.text()
        value = cursor.value(cursor.scalar("I"))
        if value is not None:
            values[key] = value
    last_offset = max(_tensor_offsets(cursor, tensors), default=0)
    # The tensors' own sizes depend on three dozen kinds of numbers; that the last one begins inside the file finds
    # what broke off, but for its last part, which the server finds.
    if cursor.position + last_offset >= size:
        raise ValueError(size)
    architecture = str(values.get("general.architecture", ""))
    template = values.get("tokenizer.chat_template")
    return GgufHeader(
        architecture=architecture,
        window=_number(values, f"{architecture}.context_length"),
        chat_template=template if isinstance(template, str) and template else None,
        token_bytes=_token_bytes(values, architecture),
        file_bytes=size,
    )


def _tensor_offsets(cursor: "_Cursor", count: int) -> Iterator[int]:
    for _ in range(count):
        cursor.text()
        for _ in range(cursor.scalar("I")):
            cursor.scalar("Q")
        cursor.scalar("I")
        yield cursor.scalar("Q")


def _token_bytes(values: dict[str, Any], architecture: str) -> int | None:
    layers = _number(values, f"{architecture}.block_count")
    heads = _number(values, f"{architecture}.attention.head_count")
    width = _number(values, f"{architecture}.embedding_length")
    if not (layers and heads and width):
        return None
    shared_heads = _number(values, f"{architecture}.attention.head_count_kv") or heads
    head_width = _number(values, f"{architecture}.attention.key_length") or width // heads
    return 2 * layers * shared_heads * head_width * _CACHE_BYTES


def _number(values: dict[str, Any], key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) and value > 0 else None


class _Cursor:
    """A place in the file; every read moves it on.

    Args:
        data: The file.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self.position = data, 0

    def scalar(self, form: str) -> Any:
        """Return one number, by `struct`'s letter."""
        (value,) = struct.unpack_from(f"<{form}", self._data, self.position)
        self.position += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        """Return a text."""
        return self._bytes(self.scalar("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """Return a value of the format's type `kind`; `None` for an array, which is passed over."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._pass_array()
            return None
        return self.scalar(_SCALARS[kind])

    def _pass_array(self) -> None:
        kind, count = self.scalar("I"), self.scalar("Q")
        if kind in _SCALARS:
            self._bytes(count * struct.calcsize(f"<{_SCALARS[kind]}"), is_kept=False)
            return
        for _ in range(count):
            if kind == _STRING:
                self._bytes(self.scalar("Q"), is_kept=False)
            else:
                self.value(kind)

    def _bytes(self, count: int, *, is_kept: bool = True) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise ValueError(count)
        taken = self._data[self.position : end] if is_kept else b""
        self.position = end
        return taken
