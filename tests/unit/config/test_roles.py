"""A panel of one's own takes no preset's judge and writer along, by whichever way it is given; nobody is chosen yet."""

import json

import pytest

from fusion_tool.api.chat_model import ChatFusion
from fusion_tool.api.tool import FusionTool
from fusion_tool.cli.config_options import ConfigOptions
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import load_presets, preset, preset_names
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.servers.mcp.tool import parse_arguments
from fusion_tool.servers.openai.openrouter import parse_fusion_plugin
from fusion_tool.servers.overrides import apply_overrides, parse_overrides

ONE, TWO, JUDGE, WRITER = (f"openrouter:test/{name}" for name in ("one", "two", "judge", "writer"))
OPUS = preset("budget").judge.model
PANEL = [ONE, TWO]
CASES = {
    "a panel alone": ({"panel": PANEL}, (ONE, ONE)),
    "with a judge": ({"panel": PANEL, "judge": JUDGE}, (JUDGE, JUDGE)),
    "with a writer": ({"panel": PANEL, "synthesizer": WRITER}, (ONE, WRITER)),
    "with both": ({"panel": PANEL, "judge": JUDGE, "synthesizer": WRITER}, (JUDGE, WRITER)),
    "a judge alone": ({"judge": JUDGE}, (JUDGE, OPUS)),
    "a writer alone": ({"synthesizer": WRITER}, (OPUS, WRITER)),
}


def by_file(folder, named):
    path = folder / "fusion.toml"
    rows = [f"{name} = {json.dumps(value)}\n" for name, value in named.items()]
    path.write_text('preset = "budget"\n' + "".join(rows), "utf-8")
    return path


def by_flags(named, **more):
    roles = {name: value for name, value in named.items() if name != "panel"}
    return ConfigOptions(models=tuple(named.get("panel", ())), **roles, **more).to_config()


WAYS = {
    "Python, over the default": lambda named, _: resolve_config(**named),
    "Python, over a preset's name": lambda named, _: resolve_config("budget", **named),
    "Python, over a preset's value": lambda named, _: resolve_config(preset("budget"), **named),
    "Python, over a file of a preset": lambda named, folder: resolve_config(by_file(folder, {"bash": "off"}), **named),
    "Python, in two steps": lambda named, _: resolve_config(resolve_config("budget", bash="off"), **named),
    "FusionTool": lambda named, _: FusionTool(**named).config,
    "FusionTool, over a preset": lambda named, _: FusionTool("budget", **named).config,
    "ChatFusion": lambda named, _: ChatFusion(**named).config,
    "ChatFusion, over a preset": lambda named, _: ChatFusion("budget", timeout=9, **named).config,
    "a file": lambda named, folder: resolve_config(by_file(folder, named)),
    "flags": lambda named, _: by_flags(named),
    "flags, over a preset": lambda named, _: by_flags(named, preset="budget"),
    "flags, over a file of a preset": lambda named, folder: by_flags(named, config=by_file(folder, {"bash": "off"})),
    "an MCP server's flags": lambda named, _: parse_arguments({"question": "q"}, takes_run_id=False).config_for(
        by_flags(named, preset="budget")
    ),
}


@pytest.fixture(autouse=True)
def _keyed(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")


def stages(config):
    return config.judge_or_default.model, config.synthesizer_or_default.model


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WAYS)
def test_nobody_judges_or_writes_that_was_not_named(way, case, tmp_path):
    named, expected = CASES[case]
    config = WAYS[way](named, tmp_path)
    assert stages(config) == expected
    assert [seat.model for seat in config.panel] == named.get("panel", [seat.model for seat in preset("budget").panel])


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "ollama"])
def test_no_presets_judge_or_writer_outlives_its_panel(name):
    config = resolve_config(name, panel=[ONE], limits={"quorum": None})
    assert stages(config) == (ONE, ONE)
    assert resolve_config(name, panel=[ONE], limits={"quorum": None}, judge=JUDGE).judge.fallbacks == ()


@pytest.mark.parametrize("roles", [("judge",), ("synthesizer",), ("judge", "synthesizer")])
def test_a_role_that_was_named_in_a_file_or_a_value_stays_with_another_panel(roles, tmp_path):
    named = dict.fromkeys(roles, JUDGE)
    own = FusionConfig(panel=[TWO], **named)
    expected = (JUDGE if "judge" in roles else ONE, JUDGE)
    for base in (own, by_file(tmp_path, named), by_file(tmp_path, {"panel": [TWO], **named})):
        assert stages(resolve_config(base, panel=[ONE])) == expected


def test_a_role_like_a_presets_own_stays_with_a_panel_that_is_not_the_presets():
    own = FusionConfig(panel=[TWO], judge=preset("budget").judge)
    assert stages(resolve_config(own, panel=[ONE])) == (OPUS, OPUS)


def test_a_panel_needs_no_presets_key(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY")
    config = resolve_config(panel=["ollama:a"], limits={"seconds": 9})
    assert config == FusionConfig(panel=["ollama:a"], limits={"seconds": 9})
    assert FusionTool(panel=["ollama:a"]).config == FusionConfig(panel=["ollama:a"])


def test_a_part_of_a_presets_judge_is_no_judge_for_another_panel():
    assert resolve_config("budget", judge={"temperature": 0}).judge.model == OPUS
    with pytest.raises(ConfigError) as caught:
        resolve_config("budget", panel=PANEL, judge={"temperature": 0})
    assert caught.value.field == "judge.model"


FIRST, SECOND, *_ = (seat.model for seat in preset("budget").panel)
CALLS = {
    "models alone": ({"models": [SECOND]}, (SECOND, SECOND)),
    "with a judge": ({"models": [SECOND], "judge": FIRST}, (FIRST, FIRST)),
    "with a writer": ({"models": [SECOND], "synthesizer": FIRST}, (SECOND, FIRST)),
    "a judge alone": ({"judge": FIRST}, (FIRST, OPUS)),
    "the plugin's seats": (parse_fusion_plugin([{"id": "fusion", "analysis_models": [SECOND]}]), (SECOND, SECOND)),
    "the plugin's model": (
        parse_fusion_plugin([{"id": "fusion", "analysis_models": [SECOND], "model": OPUS}]),
        (OPUS, OPUS),
    ),
}


@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("offered", [{}, {"preset": "budget"}], ids=["configured", "an offered preset"])
def test_a_servers_caller_names_seats_by_the_same_rule(case, offered):
    asked, expected = CALLS[case]
    operator = preset("budget") if not offered else FusionConfig(panel=[ONE] * 3)
    assert (
        stages(apply_overrides(operator, parse_overrides({**asked, **offered}), presets=load_presets(["budget"])))
        == expected
    )


@pytest.mark.parametrize(
    ("asked", "candidates"),
    [
        ({}, "keyed"),
        ({"excluded_domains": ["example.org"]}, "keyed"),
        ({"models": [TWO, ONE]}, "configured"),
        ({"strategy": "cascade"}, "configured"),
        ({"preset": "budget"}, "configured"),
    ],
)
def test_for_what_a_servers_caller_names_nobody_else_judges_or_writes(asked, candidates):
    config = apply_overrides(
        FusionConfig(panel=[ONE, TWO, JUDGE]), parse_overrides(asked), presets=load_presets(["budget"])
    )
    assert config.candidates == candidates


def test_a_judge_that_the_operator_named_stays_for_every_caller():
    operator = FusionConfig(panel=PANEL, judge=JUDGE)
    assert stages(apply_overrides(operator, parse_overrides({"models": [TWO]}))) == (JUDGE, JUDGE)


SEAT = {"model": TWO, "temperature": 0.5, "seat": "second"}
READERS = {
    "none": (False, None),
    "the judge": (True, JUDGE),
    "another model": (WRITER, WRITER),
    "a seat, as it is set up": (TWO, TWO),
}


@pytest.mark.parametrize(("verify", "model"), READERS.values(), ids=list(READERS))
def test_the_second_reader_is_the_judges_model_or_the_one_that_is_named(verify, model):
    reader = FusionConfig(panel=[ONE, SEAT], judge=JUDGE, verify=verify).verifier
    assert (reader and reader.model) == model
    if reader and model == TWO:
        assert (reader.temperature, reader.seat) == (0.5, None)


@pytest.mark.parametrize("verify", ["reader", "", 5, None, ["openrouter:a/b"]])
def test_what_is_no_model_is_no_second_reader(verify):
    with pytest.raises(ConfigError) as raised:
        FusionConfig(panel=PANEL, verify=verify)
    assert raised.value.field.startswith("verify")
