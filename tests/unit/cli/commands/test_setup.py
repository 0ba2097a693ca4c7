"""The commented configuration file: it loads, commented and in full, and names every setting."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from fusion_tool.cli.config_template import template
from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import Fetch, FusionConfig, Limits, Panelist, Search
from tests.unit.cli.support import fusion


def _uncommented(text: str) -> str:
    return re.sub(r"^#(?=[\[\w])", "", text, flags=re.MULTILINE)


def test_it_is_the_users_own_file_and_loads_as_its_preset(elsewhere: Path, user_folder: Path) -> None:
    user_folder.rmdir()
    done = fusion("init")
    assert (done.exit_code, [*elsewhere.iterdir()]) == (0, [])
    assert "read from now on" in done.stderr
    assert resolve_config(user_folder / "fusion.toml") == resolve_config() == preset("budget")


SETTINGS = [line for line in template().splitlines() if re.match(r"#\w", line)]


@pytest.mark.parametrize("line", SETTINGS)
def test_each_setting_is_right_by_itself(tmp_path: Path, line: str) -> None:
    file = tmp_path / "fusion.toml"
    file.write_text(template().replace(f"\n{line}\n", f"\n{line[1:]}\n"), "utf-8")
    name = line[1:].partition(" = ")[0].partition(".")[0]
    assert name in tomllib.loads(file.read_text("utf-8"))
    assert resolve_config(file)


def test_every_setting_is_named_and_loads(tmp_path: Path) -> None:
    file = tmp_path / "full.toml"
    file.write_text(_uncommented(template()), "utf-8")
    table = tomllib.loads(file.read_text("utf-8"))
    assert table.keys() - {"preset", "presets"} == FusionConfig.model_fields.keys()
    for name, owner in (("judge", Panelist), ("limits", Limits), ("search", Search), ("fetch", Fetch)):
        assert table[name].keys() == owner.model_fields.keys()
    config = resolve_config(file)
    assert (config.limits.quorum, config.limits.seconds) == (2, RUN_SECONDS)
    assert config.documents.path == tmp_path / "notes"
    assert resolve_config(file, preset="mine").limits == config.limits


def test_every_setting_is_explained() -> None:
    bare = []
    for block in template().split("\n\n"):
        prose = "\n".join(line for line in block.splitlines() if line.startswith("# "))
        for before, line in pairwise(block.splitlines()):
            setting = re.match(r"#([\w.]+) = ", line)
            if setting and not before.startswith("# ") and setting[1] not in prose:
                bare.append(setting[1])
    assert bare == []


def test_no_line_is_longer_than_a_terminal_is_wide() -> None:
    assert max(map(len, template().splitlines())) <= 120


def test_an_existing_file_is_left_alone_without_force(elsewhere: Path) -> None:
    file = elsewhere / "own.toml"
    file.write_text("mine", "utf-8")
    done = fusion("init", str(file))
    assert (done.exit_code, file.read_text("utf-8")) == (2, "mine")
    assert "--force" in done.stderr
    assert fusion("init", str(file), "--force").exit_code == 0
    assert resolve_config(file)


@pytest.mark.parametrize("path", ["nowhere/fusion.toml", "."])
def test_a_path_that_cannot_be_written_is_named(elsewhere: Path, path: str) -> None:
    done = fusion("init", str(elsewhere / path))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert str(elsewhere) in done.stderr
