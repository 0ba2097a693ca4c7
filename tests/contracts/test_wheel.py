"""The wheel, built once and tested as built: everything that runs is in it, and nothing else is needed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(built, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def python(unpacked, *arguments):
    """Run Python with the wheel's files, not the source tree's, in front."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=unpacked, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_holds_every_file_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "src/fusion_tool"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    files = tracked or [str(path.relative_to(ROOT)) for path in (ROOT / "src/fusion_tool").rglob("*.py")]
    assert {name.removeprefix("src/") for name in files if (ROOT / name).exists()} <= names
    assert "fusion_tool/py.typed" in names


def test_it_is_what_runs(unpacked):
    where = python(unpacked, "-c", "import fusion_tool; print(fusion_tool.__file__)")
    assert Path(where).is_relative_to(unpacked)


def test_its_data_files_are_found(unpacked):
    script = (
        "from fusion_tool import build_graph, preset; from fusion_tool.graph.prompts import render;"
        "build_graph(); print(len(preset('budget').panel), len(render('small_judge')) > 0)"
    )
    assert python(unpacked, "-c", script) == "3 True"


def test_its_command_runs(unpacked):
    assert python(unpacked, "-m", "fusion_tool", "--version")


def test_its_metadata_names_licence_and_extras(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    for extra in ("local", "studio", "all"):
        assert f"Provides-Extra: {extra}" in metadata
