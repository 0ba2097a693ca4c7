"""The file of keys, and what it says of a caller."""

import pytest

from fusion_tool import ConfigError, FusionConfig, Limits
from fusion_tool.servers.app import Options
from fusion_tool.servers.keys import check_callers, find_caller, hash_key, load_callers
from fusion_tool.testing import fake_config
from tests.integration.callers import caller

DIGEST, OTHER = hash_key("one"), hash_key("two")
ENTRY = f'sha256 = "{DIGEST}"'


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    monkeypatch.delenv("FUSION_SERVER_KEYS", raising=False)


def load(folder, text):
    file = folder / "keys.toml"
    file.write_text(text, "utf-8")
    return load_callers(file)


def test_keys_of_the_environment_are_callers_without_limits(monkeypatch):
    assert load_callers() == ()
    monkeypatch.setenv("FUSION_SERVER_KEYS", " one, two,,")
    callers = load_callers()
    assert [(who.name, who.sha256, who.models, who.usd_a_day, who.metrics) for who in callers] == [
        ("key-1", DIGEST, None, None, True),
        ("key-2", OTHER, None, None, True),
    ]


def test_a_file_and_the_environment_hold_together(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_SERVER_KEYS", "two")
    text = f'[alice]\n{ENTRY}\nmodels = ["fusion"]\nlimits = {{ usd = 0.5, seconds = 60 }}\nusd_a_day = 5\n'
    callers = load(tmp_path, text)
    assert [who.name for who in callers] == ["key-1", "alice"]
    alice = find_caller("one", callers)
    assert (alice.name, alice.limits.usd, alice.usd_a_day, alice.metrics) == ("alice", 0.5, 5, False)
    assert (alice.may_ask("fusion"), alice.may_ask("fusion-agent")) == (True, False)
    assert find_caller("three", callers) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[alice", "is not valid TOML"),
        (f"[alice]\n{ENTRY}\n[alice]\n{ENTRY}", "is not valid TOML"),
        ("", "names no caller"),
        ("[alice]", "[alice] sha256: is missing"),
        ('[alice]\nsha256 = "one"', "[alice] sha256: expected the SHA-256"),
        (f'[alice]\nsha256 = "{DIGEST.upper()}"', "[alice] sha256: expected the SHA-256"),
        ("[alice]\nsha256 = 1", "[alice] sha256: expected the SHA-256"),
        (f'[alice]\n{ENTRY}\nkey = "one"', "[alice] key: no such setting"),
        (f'[alice]\n{ENTRY}\nname = "bob"', "[alice] name"),
        (f"[alice]\n{ENTRY}\nusd_a_day = 0", "[alice] usd_a_day"),
        (f"[alice]\n{ENTRY}\nlimits.quorum = 1", "[alice] limits.quorum: no such setting"),
        (f"[alice]\n{ENTRY}\nlimits.tokens = 0", "[alice] limits.tokens"),
        (f"[alice]\n{ENTRY}\n[bob]\n{ENTRY}", "'bob' has the key of 'alice'"),
        (f'["two words"]\n{ENTRY}', "'two words': a name is"),
        (f'alice = "{DIGEST}"', "'alice': expected a table"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_entry(tmp_path, text, told):
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, text)
    message = str(wrong.value)
    assert told in message
    assert str(tmp_path / "keys.toml") in message
    assert "\n" not in message
    assert DIGEST not in message


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "is set but empty"),
        (" , ", "is set but empty"),
        ("one,two words", "characters that no key has"),
        ("one,schlüssel", "characters that no key has"),
        ("one,one", "'key-2' has the key of 'key-1'"),
    ],
)
def test_wrong_keys_of_the_environment_are_told_by_their_variable(monkeypatch, keys, told):
    monkeypatch.setenv("FUSION_SERVER_KEYS", keys)
    with pytest.raises(ConfigError, match=f"FUSION_SERVER_KEYS: .*{told}") as wrong:
        load_callers()
    assert "schl" not in str(wrong.value)


def test_a_name_of_the_environments_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_SERVER_KEYS", "two")
    with pytest.raises(ConfigError, match="two callers are named 'key-1'"):
        load(tmp_path, f"[key-1]\n{ENTRY}")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_callers(tmp_path / "none.toml")


@pytest.mark.parametrize("usd", [None, 0.5, 2.0])
@pytest.mark.parametrize("most", [None, 1.0])
def test_limits_only_narrow(usd, most):
    who = caller("alice", limits={"usd": most} if most else {})
    narrowed = who.narrow(fake_config(limits=Limits(usd=usd))).limits.usd
    assert narrowed == min((amount for amount in (usd, most) if amount is not None), default=None)


def test_terms_that_cannot_hold_are_told_at_the_start():
    with pytest.raises(ConfigError, match="may ask 'fusion-quality', which is not served; there are fusion, "):
        Options(fake_config(), callers=(caller("alice", models=("fusion-quality",)),))
    with pytest.raises(ConfigError, match=r"'alice' has usd_a_day.*set limits\.usd"):
        Options(fake_config(), callers=(caller("alice", usd_a_day=1),))
    check_callers([caller("alice", usd_a_day=1, limits={"usd": 0.1})], FusionConfig(panel=("test:a",)))
