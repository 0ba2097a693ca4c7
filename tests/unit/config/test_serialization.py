"""A configuration stored and restored: the same, without secrets, and any other is told apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool import ConfigError, FusionConfig, Limits, Panelist
from fusion_tool.config.serialization import apply_decision, dump_config, load_stored_config, require_same_config


class Model:
    """As good as a chat model, with a secret."""

    model_name = "openai:gpt-5"
    headers = {"authorization": "Bearer topsecret"}  # noqa: RUF012 - no dataclass

    async def ainvoke(self, *_):
        raise NotImplementedError


@given(
    st.lists(st.sampled_from(["openrouter:a/b", "ollama:q:8b"]), min_size=1, max_size=8),
    st.one_of(st.none(), st.floats(min_value=0.001, max_value=100)),
    st.sampled_from(["auto", "off", "sandbox"]),
    st.booleans(),
)
def test_what_is_stored_comes_back_the_same(models, usd, bash, searches):
    config = FusionConfig(panel=models, limits={"usd": usd}, bash=bash, search={} if searches else None)
    kept = json.loads(json.dumps(dump_config(config)))
    assert load_stored_config(kept) == config
    require_same_config(config, kept)


@pytest.mark.parametrize(
    ("role", "field"), [({"panel": ["a:b", Model()]}, "panel.1.model"), ({"judge": Model()}, "judge.model")]
)
def test_a_model_object_is_stored_by_name_alone(role, field):
    config = FusionConfig(**({"panel": ["a:b"]} | role))
    kept = dump_config(config)
    assert "topsecret" not in json.dumps(kept)
    require_same_config(config, kept)
    with pytest.raises(ConfigError, match="object") as refused:
        load_stored_config(kept)
    assert refused.value.field == field


def test_langchain_models_leave_no_header_behind():
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-5", api_key="sk-topsecret", default_headers={"Authorization": "Bearer topsecret"})
    assert "topsecret" not in json.dumps(dump_config(FusionConfig(panel=[model])))


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"limits": Limits(usd=1)}, "limits.usd"),
        ({"panel": ["a:b"]}, "panel"),
        ({"panel": ["a:b", Panelist(model="a:c", temperature=1)]}, "panel.1.temperature"),
        ({"search": None}, "search"),
        ({"judge": "a:d"}, "judge"),
    ],
)
def test_the_first_difference_is_named(other, field):
    kept = dump_config(FusionConfig(panel=["a:b", "a:c"]))
    with pytest.raises(ConfigError) as refused:
        require_same_config(FusionConfig(**({"panel": ["a:b", "a:c"]} | other)), kept)
    assert refused.value.field == field


def test_a_setting_that_an_earlier_version_did_not_know_is_no_difference():
    config = FusionConfig(panel=["a:b"])
    kept = {name: value for name, value in dump_config(config).items() if name != "candidates"}
    require_same_config(config, kept)
    with pytest.raises(ConfigError) as refused:
        require_same_config(FusionConfig(panel=["a:b"], candidates="configured"), kept)
    assert refused.value.field == "candidates"


def test_nor_is_a_setting_inside_a_table():
    config = FusionConfig(panel=["a:b"])
    kept = dump_config(config)
    kept["fetch"] = {"cache_seconds": None}
    require_same_config(config, kept)
    kept["fetch"]["cache_seconds"] = 60
    with pytest.raises(ConfigError) as refused:
        require_same_config(config, kept)
    assert refused.value.field == "fetch.cache_seconds"


READERS = [False, True, "openrouter:x/reader", {"model": "q", "base_url": "http://localhost:1/v1", "temperature": 0.0}]


@pytest.mark.parametrize("verify", READERS)
def test_a_second_reader_comes_back_the_same(verify):
    config = FusionConfig(panel=["openrouter:a/b"], verify=verify)
    stored = json.loads(json.dumps(dump_config(config)))
    assert load_stored_config(stored) == config
    assert apply_decision(config, stored) == config


def test_a_decision_brings_no_second_reader_and_sends_none_elsewhere():
    plain, read = (FusionConfig(panel=["openrouter:a/b"], verify=verify) for verify in (False, "openrouter:x/y"))
    assert apply_decision(plain, dump_config(read)).verify is False
    elsewhere = FusionConfig(panel=["openrouter:a/b"], verify={"model": "q", "base_url": "http://evil.example/v1"})
    with pytest.raises(ConfigError, match="not configured"):
        apply_decision(read, dump_config(elsewhere))


OWN = FusionConfig(
    panel=[{"model": "own:a", "base_url": "http://10.0.0.7/v1", "max_tokens": 500}, {"model": "own:b", "seat": "bee"}],
    judge={"model": "openrouter:x/j", "fallbacks": ["openrouter:x/k"], "temperature": 0.1},
)
SEATS = dump_config(OWN)["panel"]
JUDGE = dump_config(OWN)["judge"]
EDITED = [
    ({"panel": [*SEATS, SEATS[1]]}, "panel"),
    ({"strategy": "chain"}, "strategy"),
    ({"panel": [SEATS[0] | {"max_tokens": None}]}, "panel.0"),
    ({"panel": [SEATS[0] | {"reasoning": "high"}]}, "panel.0"),
    ({"panel": [SEATS[0] | {"model": "openrouter:anthropic/claude-opus-4.8"}]}, "panel.0"),
    ({"panel": [SEATS[0] | {"fallbacks": ["openrouter:openai/gpt-5.5"]}]}, "panel.0"),
    ({"judge": JUDGE | {"base_url": "http://10.0.0.9/v1"}}, "judge"),
    ({"judge": JUDGE | {"temperature": 1.0}}, "judge"),
    ({"synthesizer": JUDGE | {"model": "openrouter:x/dear"}}, "synthesizer"),
]


@pytest.mark.parametrize(("edited", "field"), EDITED, ids=str)
def test_a_decision_that_nobody_can_have_made_is_refused(edited, field):
    with pytest.raises(ConfigError) as refused:
        apply_decision(OWN, dump_config(OWN) | edited)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "decided",
    [
        {"panel": SEATS[:1]},
        {"judge": JUDGE | {"model": "openrouter:x/k", "fallbacks": []}},
        {"judge": JUDGE | {"model": "openai:j", "fallbacks": []}},
        {"synthesizer": SEATS[1]},
    ],
    ids=str,
)
def test_what_bans_and_missing_keys_make_of_it_is_kept(decided):
    assert apply_decision(OWN, dump_config(OWN) | decided)


def test_a_routers_free_choice_is_kept_and_no_larger_panel_than_it_makes():
    free = OWN.model_copy(update={"strategy": "auto"})
    chosen = [{"model": f"openai:{name}"} for name in "abcd"]
    decision = dump_config(free) | {"strategy": "panel", "panel": chosen[:3]}
    assert len(apply_decision(free, decision).panel) == 3
    with pytest.raises(ConfigError, match="panel: 4 seats are more than are configured"):
        apply_decision(free, decision | {"panel": chosen})
    with pytest.raises(ConfigError, match="'openai:a' is configured with other settings"):
        apply_decision(free, decision | {"panel": [chosen[0] | {"max_tokens": 100_000}]})


@pytest.mark.parametrize(
    ("fields", "chosen", "is_kept"),
    [
        pytest.param({}, "anthropic:x", True, id="at the seats' provider"),
        pytest.param({}, "openai:x", False, id="at another"),
        pytest.param({"candidates": "configured"}, "anthropic:x", False, id="for a server's caller"),
        pytest.param({"judge": "anthropic:j", "synthesizer": "anthropic:w"}, "anthropic:x", False, id="named"),
    ],
)
def test_judge_and_writer_that_nobody_named_may_have_been_chosen(fields, chosen, is_kept):
    config = FusionConfig(panel=["anthropic:a", "anthropic:b"], **fields)
    decision = dump_config(config) | {"judge": {"model": chosen}, "synthesizer": {"model": chosen}}
    if is_kept:
        decided = apply_decision(config, decision)
        assert decided.judge.model == decided.synthesizer.model == chosen
        return
    with pytest.raises(ConfigError, match=f"judge: '{chosen}' is not configured"):
        apply_decision(config, decision)
