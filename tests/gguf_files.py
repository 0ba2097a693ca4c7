"""Small GGUF files, right and wrong ones."""

import struct
from typing import Any

QWEN = {
    "general.architecture": "qwen2",
    "qwen2.context_length": 32768,
    "qwen2.block_count": 28,
    "qwen2.embedding_length": 1536,
    "qwen2.attention.head_count": 12,
    "qwen2.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "bc", ""],
    "tokenizer.ggml.scores": [0.5, 1.5],
    "tokenizer.chat_template": "{% if tools %}{{ tools }}{% endif %}{{ messages }}",
}


def gguf_bytes(values: dict[str, Any] | None = None, *, version: int = 3) -> bytes:
    """Return a file with these values and one tensor of 32 bytes."""
    pairs = b"".join(_text(key) + _value(value) for key, value in (QWEN if values is None else values).items())
    tensor = _text("weight") + struct.pack("<IQIQ", 1, 8, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(QWEN if values is None else values))
    return head + pairs + tensor + bytes(32)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    return struct.pack("<IIQ", 9, 6, len(value)) + struct.pack(f"<{len(value)}f", *value)
