"""The user's own file and presets, behind one resolution."""

import pytest

from fusion_tool import ChatFusion, FusionTool, preset
from fusion_tool.config.loading import preview_config, resolve_config
from fusion_tool.config.presets import preset_description, preset_names
from fusion_tool.config.schema import FusionConfig, Limits, Panelist
from fusion_tool.errors import ConfigError

OWN = """
deny = ["x/*"]
documents = "notes"

[limits]
usd = 0.5

[presets.mine]
panel = ["v:one", "v:two"]
about = "two of mine"

[presets.quick]
extends = "fast"
documents = "texts"
limits = { seconds = 20 }

[presets.quicker]
extends = "quick"
panel = ["v:three"]
limits = { quorum = 1 }
"""


@pytest.fixture
def own_file(user_folder, monkeypatch):
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def write(text=OWN):
        file = user_folder / "fusion.toml"
        file.write_text(text, "utf-8")
        return file

    return write


def models(config):
    return [seat.model for seat in config.panel]


def test_a_preset_of_ones_own_is_one_wherever_one_is_named(own_file):
    own_file()
    assert models(preset("mine")) == ["v:one", "v:two"]
    for config in (
        resolve_config("mine"),
        resolve_config(preset="mine"),
        FusionTool(preset="mine").config,
        ChatFusion("mine").config,
    ):
        assert (models(config), config.limits.usd, config.deny) == (["v:one", "v:two"], 0.5, ("x/*",))
    assert preset_names()[-3:] == ("mine", "quick", "quicker")
    assert preset_description("mine") == "two of mine"
    assert preset_description("quicker") == "your own, over quick"


def test_a_mark_at_the_beginning_as_editors_on_windows_write_it_is_no_part_of_it(own_file):
    own_file('\ufeffpreset = "fast"\n')
    assert resolve_config() == preset("fast")


def test_it_extends_another_one_and_a_panel_takes_judge_and_writer_along(own_file):
    folder = own_file().parent
    quick, quicker = preset("quick"), preset("quicker")
    assert quick.panel == preset("fast").panel
    assert quick.limits == preset("fast").limits.model_copy(update={"seconds": 20.0})
    assert quick.documents.path == folder / "texts"
    assert (quicker.judge, quicker.synthesizer, models(quicker)) == (None, None, ["v:three"])
    assert (quicker.limits.seconds, quicker.limits.quorum) == (20.0, 1)


def test_a_file_that_is_named_brings_its_own_beside_the_users(own_file, tmp_path):
    own_file()
    file = tmp_path / "other.toml"
    file.write_text('[presets.other]\nextends = "mine"\njudge = "v:judge"\n', "utf-8")
    config = resolve_config(file, preset="other")
    assert (models(config), config.judge, config.deny) == (["v:one", "v:two"], Panelist(model="v:judge"), ())
    with pytest.raises(ConfigError, match="no preset 'other'"):
        resolve_config(preset="other")


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ('[presets.budget]\nbash = "off"', "presets.budget", "built in"),
        ('[presets."a.toml"]\nextends = "fast"', "presets", "'a.toml' has other characters"),
        ("[presets]\nmine = 3", "presets.mine", "expected a table"),
        ('[presets.mine]\npreset = "fast"', "presets.mine.preset", "'extends'"),
        ('presets = ["a"]', "presets", "[presets.NAME]"),
        ('[presets.mine]\nextends = "fats"', "presets.mine.extends", "no preset 'fats' (did you mean 'fast'"),
        ('[presets.mine]\nextends = "mine"', "presets.mine.extends", "mine extends mine"),
        ("[presets.mine]\nextends = 3", "presets.mine.extends", "expected a preset's name"),
        ('[presets.mine]\nextends = ["fast"]', "presets.mine.extends", "expected a preset's name"),
        ('[presets.mine]\nextends = "b"\n[presets.b]\nlimit = 3', "presets.b.limit", "did you mean 'limits'?"),
        (
            '[presets.mine]\nextends = "b"\n[presets.b]\nextends = "mine"',
            "presets.b.extends",
            "mine extends b extends mine",
        ),
        ('[presets.mine]\nextends = "fast"\nlimit = 3', "presets.mine.limit", "did you mean 'limits'?"),
        ('[presets.mine]\nbash = "off"', "presets.mine.panel", "missing"),
        ('documents = ""\n[presets.mine]\npanel = ["v:one"]', "documents.path", "expected a path, not nothing"),
    ],
)
def test_a_wrong_one_is_named_with_its_file(own_file, text, field, said):
    file = own_file(text)
    with pytest.raises(ConfigError) as caught:
        resolve_config("mine")
    assert caught.value.field == field
    assert said in caught.value.message
    assert caught.value.message.count(f"(in {file})") == 1


def test_the_users_file_is_what_is_asked_where_nothing_is_named(own_file):
    own_file('preset = "mine"\n[presets.mine]\npanel = ["v:one"]\njudge = "v:judge"\n')
    assert models(resolve_config()) == ["v:one"]
    assert models(FusionTool().config) == ["v:one"]
    given = resolve_config(panel=["v:two"], limits={"seconds": 9})
    assert (models(given), given.judge, given.limits.seconds) == (["v:two"], None, 9.0)


def test_a_named_preset_takes_the_place_of_the_files_models_and_leaves_the_rest(own_file):
    own_file('panel = ["v:one"]\njudge = "v:judge"\nbash = "off"\n')
    config = resolve_config(preset="fast")
    assert (config.panel, config.judge, config.bash) == (preset("fast").panel, preset("fast").judge, "off")


def test_a_config_is_whole_and_another_file_takes_the_place_of_the_users(own_file, tmp_path):
    own_file()
    whole = FusionConfig(panel=["v:nine"])
    assert resolve_config(whole) == whole
    file = tmp_path / "f.toml"
    file.write_text('panel = ["v:nine"]', "utf-8")
    assert resolve_config(file) == whole
    with pytest.raises(ConfigError, match="leave the preset out"):
        resolve_config(whole, preset="fast")
    with pytest.raises(ConfigError, match="two presets"):
        resolve_config("fast", preset="budget")


def test_a_file_without_a_panel_takes_models(own_file):
    own_file('bash = "off"\n[limits]\nusd = 1\n')
    config = resolve_config(panel=["v:one"])
    assert config == FusionConfig(panel=["v:one"], bash="off", limits=Limits(usd=1))


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_any_providers_key_is_enough_for_the_default(own_file, monkeypatch, variable):
    own_file("[limits]\nusd = 1\n")
    assert preview_config().panel == preset("budget").panel
    with pytest.raises(ConfigError, match="no model provider is configured"):
        resolve_config()
    monkeypatch.setenv(variable, "sk-0123456789abcdef")
    assert resolve_config() == resolve_config("budget")
    assert resolve_config().limits.usd == 1
