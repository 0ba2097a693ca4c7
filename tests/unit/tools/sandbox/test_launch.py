"""What may be handed into a sandbox."""

import os
from pathlib import Path

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.tools.sandbox.launch import read_inputs


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "a\nb", "\udcff", "x" * 256],
)
def test_names_that_leave_the_folder_or_are_no_plain_ones_are_refused(name):
    with pytest.raises(ConfigError, match="plain relative name"):
        read_inputs({name: b""}, 100)


def test_plain_names_are_kept(tmp_path):
    (tmp_path / "x").write_bytes(b"disk")
    files = {"a": b"memory", "b/c d/ü.txt": tmp_path / "x"}
    assert read_inputs(files, 10) == {"a": b"memory", "b/c d/ü.txt": b"disk"}


@pytest.mark.parametrize("target", ["/etc/passwd", "inside", "nowhere"])
def test_symbolic_links_are_refused(target, tmp_path):
    (tmp_path / "inside").write_text("x")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(ConfigError, match="symbolic link"):
        read_inputs({"a": tmp_path / "link"}, 100)


def test_pipes_folders_and_missing_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", tmp_path / "missing" / "x"):
        with pytest.raises(ConfigError, match="hand in a plain file"):
            read_inputs({"a": path}, 100)


@pytest.mark.parametrize("size", [11, 5_000_000])
def test_the_limit_binds_all_files_together(size, tmp_path):
    path = tmp_path / "big"
    path.write_bytes(b"x" * size)
    assert len(read_inputs({"a": b"x" * 5, "b": b"x" * 5}, 10)) == 2
    for files in ({"a": path}, {"a": b"x" * 5, "b": b"x" * 6}, {"a": b"x" * size}):
        with pytest.raises(ConfigError, match="more than 10 bytes"):
            read_inputs(files, 10)


def test_a_file_without_an_end_is_not_read_to_it():
    with pytest.raises(ConfigError, match="no plain file"):
        read_inputs({"a": Path("/dev/zero")}, 10)
