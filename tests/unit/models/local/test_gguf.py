"""What a GGUF file tells before it is loaded, and files that are none."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.errors import ConfigError
from fusion_tool.models.local.gguf import read_header
from tests.gguf_files import QWEN, gguf_bytes


@pytest.fixture
def file(tmp_path):
    return tmp_path / "model.gguf"


def test_the_header_tells_window_template_and_memory(file):
    file.write_bytes(gguf_bytes())
    header = read_header(file)
    assert (header.architecture, header.window, header.takes_tools) == ("qwen2", 32768, True)
    assert header.token_bytes == 2 * 28 * 2 * 128 * 2
    assert header.file_bytes == file.stat().st_size


def test_a_base_model_has_no_template_and_no_tools(file):
    file.write_bytes(gguf_bytes({"general.architecture": "llama"}))
    header = read_header(file)
    assert (header.chat_template, header.takes_tools, header.window, header.token_bytes) == (None, False, None, None)


def test_a_file_that_was_replaced_is_read_anew(file):
    file.write_bytes(gguf_bytes())
    read_header(file)
    file.write_bytes(gguf_bytes({**QWEN, "qwen2.context_length": 4096, "more": 1}))
    assert read_header(file).window == 4096


WHOLE = gguf_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no GGUF file"),
        (b"GGU", "is no GGUF file"),
        (b"PK\x03\x04" + bytes(100), "is no GGUF file"),
        (b"<html>not found</html>", "is no GGUF file"),
        (b"GGUF", "breaks off"),
        (gguf_bytes(version=99), "breaks off"),
        (WHOLE[:40], "breaks off"),
        (WHOLE[:-32], "breaks off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63), "breaks off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62) + b"key", "breaks off"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 9, 5),
            "breaks off",
        ),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(file, content, said):
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_header(file)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.gguf"):
        with pytest.raises(ConfigError):
            read_header(path)


@given(st.integers(0, len(WHOLE) - 33), st.binary(max_size=24))
def test_damage_is_an_error_or_a_header_and_nothing_else(tmp_path_factory, position, noise):
    file = tmp_path_factory.mktemp("damage") / "model.gguf"
    file.write_bytes(WHOLE[:position] + noise + WHOLE[position + len(noise) :])
    with suppress(ConfigError):
        read_header(file)
