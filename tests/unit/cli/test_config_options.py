"""A flag over the file, the file over the preset."""

from pathlib import Path

import pytest

from fusion_tool.cli.config_options import ConfigOptions
from fusion_tool.config.presets import preset
from fusion_tool.errors import ConfigError


def _write(folder: Path, text: str) -> Path:
    path = folder / "fusion.toml"
    path.write_text(text, "utf-8")
    return path


def test_flag_over_file_over_preset(tmp_path: Path) -> None:
    plain = 'preset = "fast"\nbash = "off"\nmax_tool_calls = 2\ninstructions = "In Latin."\n'
    file = _write(tmp_path, f"{plain}[limits]\nseconds = 50.0\ngrace_seconds = 3.0\n")
    config = ConfigOptions(config=file, seconds=20.0, bash="sandbox", instructions="In Greek.").to_config()
    assert (config.limits.seconds, config.bash, config.instructions) == (20.0, "sandbox", "In Greek.")  # the flags'
    assert (config.limits.grace_seconds, config.max_tool_calls) == (3.0, 2)  # the file's
    assert (config.limits.quorum, config.panel) == (2, preset("fast").panel)  # the preset's


@pytest.mark.parametrize("own", ["", 'preset = "quality"\n'])
def test_the_preset_by_flag_takes_the_place_of_the_files_own(tmp_path: Path, own: str) -> None:
    file = _write(tmp_path, f'{own}documents = "notes"\n[limits]\nseconds = 50.0\n')
    config = ConfigOptions(preset="fast", config=file).to_config()
    assert config.panel == preset("fast").panel
    assert (config.limits.seconds, config.limits.quorum) == (50.0, 2)
    assert config.documents.path == tmp_path / "notes"


@pytest.mark.parametrize("text", ["panel = [", "wrong = 1", "[limits]\nseconds = 'x'"])
def test_a_broken_file_beside_a_preset_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"fusion\.toml"):
        ConfigOptions(preset="fast", config=_write(tmp_path, text)).to_config()


def test_models_alone_need_no_preset_and_no_key() -> None:
    config = ConfigOptions(models=("ollama:a", "ollama:a"), exclude=("example.org",)).to_config()
    assert config.seat_labels == ("a", "a-2")
    assert config.judge_or_default.model == "ollama:a"
    assert config.excluded_domains == ("example.org",)


def test_models_replace_the_panel_and_leave_the_rest() -> None:
    config = ConfigOptions(preset="budget", models=("ollama:a",), judge="ollama:j").to_config()
    assert [seat.model for seat in config.panel] == ["ollama:a"]
    assert config.judge is not None
    assert (config.judge.model, config.judge.fallbacks) == ("ollama:j", ())
    assert config.synthesizer_or_default == config.judge
    assert config.limits == preset("budget").limits


def test_exclusions_add_up(tmp_path: Path) -> None:
    file = _write(tmp_path, 'preset = "fast"\nexcluded_domains = ["example.org"]\n')
    config = ConfigOptions(config=file, exclude=("example.com",)).to_config()
    assert config.excluded_domains == ("example.org", "example.com")


def test_search_by_flag() -> None:
    assert ConfigOptions(preset="fast", no_search=True).to_config().search is None
    searching = ConfigOptions(preset="local", search=("brave", "exa")).to_config().search
    assert searching is not None
    assert searching.providers == ("brave", "exa")


@pytest.mark.parametrize(
    ("choices", "field", "named"),
    [
        (ConfigOptions(models=("a:b",)), "panel.0.model", "--model"),
        (ConfigOptions(preset="fast"), "panel.0.model", "panel.0.model"),
        (ConfigOptions(grace_seconds=0.0), "limits.grace_seconds", "--grace"),
        (ConfigOptions(seconds=1.0), "limits.quorum", "limits.quorum"),
        (ConfigOptions(documents=(Path(),)), "documents", "--docs"),
        (ConfigOptions(), None, None),
    ],
)
def test_an_error_names_the_flag_that_caused_it(choices: ConfigOptions, field: str | None, named: str | None) -> None:
    assert choices.in_option_terms(ConfigError("wrong", field=field)).field == named
