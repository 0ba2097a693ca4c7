"""Explicit argument over config file over preset."""

import pytest

from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig, Limits, Panelist, Search
from fusion_tool.errors import ConfigError

BASE = FusionConfig(
    panel=["x:one", "x:two"],
    judge={"model": "x:judge", "temperature": 0.5},
    limits=Limits(seconds=30, quorum=2),
    excluded_domains=("a.example",),
)


@pytest.fixture
def written(tmp_path):
    """A config file with the given text."""

    def write(text):
        path = tmp_path / "fusion.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        ({}, {}),
        ({"bash": "off"}, {"bash": "off"}),
        ({"limits": {"seconds": 9}}, {"limits": Limits(seconds=9, quorum=2)}),
        ({"limits": Limits(seconds=9)}, {"limits": Limits(seconds=9, quorum=2)}),
        ({"limits": Limits(quorum=None)}, {"limits": Limits(seconds=30, quorum=None)}),
        ({"judge": {"temperature": 0}}, {"judge": Panelist(model="x:judge", temperature=0)}),
        ({"judge": {"model": "x:new"}}, {"judge": Panelist(model="x:new")}),
        ({"judge": "x:new"}, {"judge": Panelist(model="x:new")}),
        ({"judge": Panelist(model="x:new")}, {"judge": Panelist(model="x:new")}),
        ({"judge": None}, {"judge": None}),
        ({"panel": ["x:three"], "limits": {"quorum": 1}}, {"panel": (Panelist(model="x:three"),)}),
        ({"search": False}, {"search": None}),
        ({"search": None}, {"search": None}),
        ({"search": {"providers": ["brave"]}}, {"search": Search(providers=("brave",))}),
        ({"excluded_domains": ["b.example"]}, {"excluded_domains": ("b.example",)}),
    ],
)
def test_overrides_merge_field_by_field(overrides, changed):
    resolved = resolve_config(BASE, **overrides)
    for name in FusionConfig.model_fields:
        if name == "limits" and name not in changed and "limits" in overrides:
            continue
        assert getattr(resolved, name) == changed.get(name, getattr(BASE, name)), name


def test_search_that_was_off_can_be_turned_on():
    off = FusionConfig(panel=["x:one"], search=None)
    assert resolve_config(off, search={"providers": ["brave"]}).search == Search(providers=("brave",))


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"limit": {"seconds": 1}}, "limit"),
        ({"limits": {"second": 1}}, "limits.second"),
        ({"limits": {"seconds": -1}}, "limits.seconds"),
        ({"panel": ["x:one"]}, "limits.quorum"),
        ({"judge": {"temprature": 0}}, "judge.temprature"),
    ],
)
def test_a_wrong_override_is_named(overrides, field):
    with pytest.raises(ConfigError) as caught:
        resolve_config(BASE, **overrides)
    assert caught.value.field == field


def test_without_a_key_and_a_choice_both_cures_are_named(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(ConfigError) as caught:
        resolve_config()
    assert "OPENROUTER_API_KEY" in str(caught.value)
    assert "local" in str(caught.value)


def test_with_a_key_the_default_is_the_preset_budget(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    assert resolve_config() == preset("budget")


def test_a_presets_name_needs_no_key(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    assert resolve_config("quality") == preset("quality")
    assert resolve_config("quality", bash="off").bash == "off"


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ConfigError) as caught:
        resolve_config("bugdet")
    assert caught.value.field == "preset"
    assert "budget, value" in str(caught.value)
    assert ".toml" in str(caught.value)


def test_a_file_overrides_its_preset_and_arguments_override_the_file(written):
    path = written('preset = "fast"\nbash = "off"\n[limits]\nseconds = 7.0\n')
    config = resolve_config(path, limits={"quorum": 1})
    assert config.panel == preset("fast").panel
    assert config.bash == "off"
    assert config.limits == Limits(seconds=7, quorum=1, grace_seconds=preset("fast").limits.grace_seconds)
    assert resolve_config(str(path)) == resolve_config(path)


def test_a_file_alone_is_a_whole_configuration(written):
    config = resolve_config(
        written('panel = ["x:one"]\nsearch = false\n[fetch]\nallowed_private_hosts = ["wiki.corp"]\n')
    )
    assert (config.panel, config.search) == ((Panelist(model="x:one"),), None)
    assert config.fetch.allowed_private_hosts == ("wiki.corp",)


def test_a_documents_folder_stands_beside_its_file(written, tmp_path):
    path = written('panel = ["x:one"]\ndocuments = "texts"\n')
    assert resolve_config(path).documents.path == tmp_path / "texts"
    assert (
        resolve_config(written('panel = ["x:one"]\ndocuments = "/srv/texts"\n')).documents.path.as_posix()
        == "/srv/texts"
    )


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("panel = [", "config", "not valid TOML"),
        ('panel = ["x:one"]\nbahs = "off"\n', "bahs", "no such setting"),
        ('panel = ["x:one"]\nmax_tool_calls = "four"\n', "max_tool_calls", "expected a whole number"),
        ('panel = ["x:one"]\n[limits]\nsecs = 1\n', "limits.secs", "no such setting"),
        ('panel = ["x:one"]\ndocuments = 5\n', "documents", ""),
        ('preset = "nope"\n', "preset", "no preset"),
        ('preset = "fusion.toml"\n', "preset", "no preset"),
        ('preset = "fast"\njudge = "gpt"\n', "judge.model", "names no provider"),
        ("panel = []", "panel", "1 or more"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(written, monkeypatch, text, field, said):
    path = written(text)
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        resolve_config(path)
    assert caught.value.field == field
    assert said in caught.value.message
    assert "fusion.toml" in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent.toml"):
        with pytest.raises(ConfigError, match="cannot read") as caught:
            resolve_config(path)
        assert caught.value.field == "config"


def test_bytes_that_are_no_text_are_no_configuration(tmp_path):
    path = tmp_path / "fusion.toml"
    path.write_bytes(b"panel = '\xff'")
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        resolve_config(path)


@pytest.mark.parametrize("named", [3, {"panel": ["v:one"]}, ["fast"]])
def test_what_is_no_configuration_is_told_in_plain_words(named):
    with pytest.raises(ConfigError, match="expected a FusionConfig, a preset's name or a file") as caught:
        resolve_config(named)
    assert caught.value.field == "config"
