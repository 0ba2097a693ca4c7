"""Keys are read without white space, named where they are missing, and shown nowhere."""

import pytest
from pydantic import ValidationError

from fusion_tool.config import keys
from fusion_tool.config.key_names import MODEL_KEYS
from fusion_tool.config.keys import is_variable_name, missing_key, read_key, remember_key, scrub
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models

KEY = "hunter2.correct/horse+battery"


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch):
    monkeypatch.setattr(keys, "_read", set())


@pytest.mark.parametrize("around", ["{}", " {} ", "{}\n", "\r\n{}\r\n", "\t{}"])
def test_white_space_around_a_key_is_not_part_of_it(monkeypatch, around):
    monkeypatch.setenv("MY_CREDENTIAL", around.format(KEY))
    assert read_key("MY_CREDENTIAL") == KEY
    assert missing_key("MY_CREDENTIAL") is None


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "set MY_CREDENTIAL"),
        ("", "MY_CREDENTIAL is set but empty"),
        (" \n", "MY_CREDENTIAL is set but empty"),
        ("a b", "the key in MY_CREDENTIAL has characters that no key has"),
        ("k\u00e9y", "the key in MY_CREDENTIAL has characters that no key has"),
        ("first\nsecond", "the key in MY_CREDENTIAL has characters that no key has"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_without_it(monkeypatch, value, complaint):
    monkeypatch.delenv("MY_CREDENTIAL", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_CREDENTIAL", value)
    assert missing_key("MY_CREDENTIAL") == complaint
    seat = Panelist(model="m", base_url="http://localhost:1/v1", api_key_env="MY_CREDENTIAL")
    with pytest.raises(ConfigError, match=complaint):
        check_models([("panel.0", seat)])


def test_an_empty_key_of_a_known_provider_is_named(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "\n")
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY is set but empty"):
        check_models([("panel.0", Panelist(model="openrouter:a/b"))])


@pytest.mark.parametrize(
    ("value", "first"),
    [
        (None, "set OPENROUTER_API_KEY, or a vendor's key such as OPENAI_API_KEY, or choose"),
        (" ", "OPENROUTER_API_KEY is set but empty: give it a key, or set a vendor's key such as OPENAI_API_KEY, or"),
    ],
)
def test_whoever_has_no_key_at_all_is_told_three_ways(monkeypatch, value, first):
    for names in MODEL_KEYS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv("OPENROUTER_API_KEY", value)
    for refused in (resolve_config, lambda: check_models([("panel.0", Panelist(model="openrouter:a/b"))])):
        with pytest.raises(ConfigError) as caught:
            refused()
        assert f": {first}" in str(caught.value)
        assert "the preset 'local', which needs no key" in str(caught.value)


@pytest.mark.parametrize("name", ["MY_KEY", "my_key", "_K1", "KEY", "HF_TOKEN", "key_of_the_gateway"])
def test_names_of_variables(name):
    assert is_variable_name(name)
    assert Panelist(model="m", base_url="http://localhost:1/v1", api_key_env=name).api_key_env == name


@pytest.mark.parametrize(
    "text",
    [
        "sk-or-v1-0123456789abcdef0123456789abcdef",
        "gsk_abcdefghij0123456789",
        "AIzaSyA1234567890abcdefghijkl",
        "hf_abcdefghijklmnop1234",
        "f3a9c0d1e2b3a4c5d6e7f8a9b0c1d2e3",
        KEY,
        "$MY_KEY",
        "MY KEY",
        "1KEY",
        "",
    ],
)
def test_a_key_in_place_of_its_variables_name_is_refused_without_repeating_it(text):
    seat = {"model": "m", "base_url": "http://localhost:1/v1", "api_key_env": text}
    for make in (Panelist.model_validate, lambda seat: Panelist(**seat), lambda seat: FusionConfig(panel=(seat,))):
        with pytest.raises((ConfigError, ValidationError)) as refused:
            make(seat)
        assert "name of an environment variable" in str(refused.value)
        assert not text or text not in str(refused.value)


def test_a_key_that_was_read_is_scrubbed_whatever_its_variable_is_called(monkeypatch):
    monkeypatch.setenv("MY_CREDENTIAL", f"{KEY}\n")
    read_key("MY_CREDENTIAL")
    quoted = "hunter2.correct%2Fhorse%2Bbattery"
    for text in (KEY, f"key={KEY}.", f'{{"key": "{KEY}"}}', quoted, KEY.replace("/", "\\/")):
        assert "[secret]" in scrub(text)
        assert "horse" not in scrub(text)


@pytest.mark.parametrize("length", range(6, len(KEY)))
def test_a_text_that_is_cut_within_a_key_shows_no_piece_of_it(length):
    remember_key(KEY)
    for end in ("", "…"):
        assert scrub(f"Incorrect key: {KEY[:length]}{end}") == "Incorrect key: [secret]"


def test_a_short_key_is_scrubbed_as_a_word():
    remember_key("test")
    assert scrub("the key test of the latest testing") == "the key [secret] of the latest testing"
