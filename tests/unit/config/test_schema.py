"""A wrong configuration fails at once and names its field; a right one is what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel

from fusion_tool.config.schema import Fetch, FusionConfig, Limits, Panelist, Search
from fusion_tool.errors import ConfigError

NO_SITES = ("", " ", "*", "*.", ".", "http://", "http:///path", "//")
ONE = {"panel": ["x:one"]}

names = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?(:[a-z]{1,2})?", fullmatch=True)
seats = st.builds(
    lambda model, seat: Panelist(model=f"x:{model}", seat=seat),
    names,
    st.none() | st.sampled_from(["a", "a-2", "b", "c-3", "d"]),
)
panels = st.lists(seats, min_size=1, max_size=8).filter(
    lambda panel: len(given := [one.seat for one in panel if one.seat]) == len(set(given))
)


@pytest.mark.parametrize(
    ("settings", "field", "said"),
    [
        ({}, "panel", "is missing"),
        ({"panel": []}, "panel", "1 or more"),
        ({"panel": ["x:m"] * 9}, "panel", "8 or fewer"),
        ({"panel": "x:m"}, "panel", "expected a list, not a text"),
        ({"panel": ["gpt-5.5"]}, "panel.0.model", "names no provider"),
        ({"panel": ["x:m", "gpt-5.5"]}, "panel.1.model", "names no provider"),
        ({"panel": [""]}, "panel.0.model", "provider:model"),
        ({"panel": ["  "]}, "panel.0.model", "provider:model"),
        ({"panel": [7]}, "panel.0.model", "'provider:model'"),
        ({"panel": [None]}, "panel.0.model", "'provider:model'"),
        ({"panel": [{"seat": "a"}]}, "panel.0.model", "is missing"),
        ({"panel": [{"model": "x:m", "modle": "x:m"}]}, "panel.0.modle", "no such setting"),
        ({"panel": [{"model": "x:m", "temperature": 2.1}]}, "panel.0.temperature", "at most 2"),
        ({"panel": [{"model": "x:m", "temperature": "hot"}]}, "panel.0.temperature", "expected a number, not a text"),
        ({"panel": [{"model": "x:m", "max_tokens": 0}]}, "panel.0.max_tokens", "at least 1"),
        ({"panel": [{"model": "x:m", "max_input_tokens": 63}]}, "panel.0.max_input_tokens", "64"),
        ({"panel": [{"model": "x:m", "reasoning": "huge"}]}, "panel.0.reasoning", "high"),
        ({"panel": [{"model": "x:m", "seat": ""}]}, "panel.0.seat", "1 or more"),
        ({"panel": [{"model": "x:m", "seat": "s" * 65}]}, "panel.0.seat", "64 or fewer"),
        ({"panel": [{"model": "m", "base_url": "localhost:8000"}]}, "panel.0.base_url", "http"),
        ({"panel": [{"model": "m", "base_url": "ftp://host/"}]}, "panel.0.base_url", "http"),
        ({"panel": [{"model": "m", "base_url": "http://"}]}, "panel.0.base_url", "http"),
        ({"panel": [{"model": "m", "base_url": "http://[::1"}]}, "panel.0.base_url", ""),
        ({"panel": [{"model": "m", "base_url": "https://me:secret@host/v1"}]}, "panel.0.base_url", "api_key_env"),
        ({"panel": [{"model": "x:m", "seat": "a"}, {"model": "x:n", "seat": "a"}]}, "panel", "same label"),
        (ONE | {"judge": "gpt"}, "judge.model", "names no provider"),
        (ONE | {"synthesizer": {"model": "x:m", "top_p": 1}}, "synthesizer.top_p", "no such setting"),
        (ONE | {"limits": {"seconds": 0}}, "limits.seconds", "more than 0"),
        (ONE | {"limits": {"seconds": "soon"}}, "limits.seconds", "expected a number, not a text"),
        (ONE | {"limits": {"quorum": 2}}, "limits.quorum", "2 of 1 seats"),
        (ONE | {"limits": {"min_answers": 3}}, "limits.min_answers", "3 of 1 seats"),
        (ONE | {"limits": {"grace_seconds": -1}}, "limits.grace_seconds", "at least 0"),
        (ONE | {"search": {"providers": ["google"]}}, "search.providers.0", "duckduckgo"),
        (ONE | {"search": {"providers": []}}, "search.providers", "1 or more"),
        (ONE | {"strategy": "best"}, "strategy", "panel"),
        (ONE | {"bash": "host"}, "bash", "sandbox"),
        (ONE | {"max_tool_calls": -1}, "max_tool_calls", "0"),
        (ONE | {"summary_tokens": 99}, "summary_tokens", "100"),
        (ONE | {"excluded_domains": "example.org"}, "excluded_domains", "expected a list"),
        ({"panel": [{"model": "x:one", "max_tokens": 10**400}]}, "panel.0.max_tokens", "at most"),
        (ONE | {"limits": {"tokens": 2**54}}, "limits.tokens", "at most"),
        *((ONE | {"excluded_domains": [site]}, "excluded_domains.0", "names no site") for site in NO_SITES),
        (ONE | {"pannel": []}, "pannel", "no such setting"),
        (ONE | {"preset": "fast"}, "preset", "preset('NAME')"),
        (ONE | {"documents": ""}, "documents.path", "expected a path, not nothing"),
        (ONE | {"documents": ["notes", ""]}, "documents.path.1", "expected a path, not nothing"),
        (ONE | {"limits": {"usd": float("inf")}}, "limits.usd", "expected a finite number"),
        (ONE | {"limits": {"seconds": float("nan")}}, "limits.seconds", "expected a finite number"),
        *((ONE | {"verify": value}, "verify", "true, false, or the second reader") for value in (3, None, ["x:m"])),
    ],
)
def test_what_is_wrong_is_named(settings, field, said):
    with pytest.raises(ConfigError) as caught:
        FusionConfig(**settings)
    assert caught.value.field == field
    assert said in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Limits(3), "Limits(usd=...)"),
        (lambda: Search("exa"), "Search(providers=...)"),
        (lambda: FusionConfig(["x:m"]), "FusionConfig(panel=...)"),
        (lambda: Panelist("x:m", "first"), "Panelist(model=...)"),
        (lambda: Panelist("x:m", model="x:n"), "model: is set twice"),
    ],
)
def test_what_is_set_without_its_name_is_told_in_no_words_of_pythons(make, said):
    with pytest.raises(ConfigError) as caught:
        make()
    assert said in str(caught.value)


def test_no_message_repeats_a_password():
    with pytest.raises(ConfigError) as caught:
        Panelist(model="m", base_url="https://me:hunter2@host/v1")
    assert "hunter2" not in str(caught.value)


def test_a_string_or_a_model_stands_for_a_panelist():
    fake = FakeListChatModel(responses=["x"])
    config = FusionConfig(panel=["x:one", fake, {"model": "x:three"}], judge="x:judge")
    assert [seat.model for seat in config.panel] == ["x:one", fake, "x:three"]
    assert config.judge == Panelist(model="x:judge")
    assert config.panel[1].model_name == "FakeListChatModel"


def test_who_judges_and_writes_where_nobody_is_named():
    config = FusionConfig(panel=[{"model": "x:one", "seat": "first", "temperature": 1}, "x:two"])
    assert config.judge_or_default == Panelist(model="x:one", temperature=1)
    assert config.synthesizer_or_default == config.judge_or_default
    judged = FusionConfig(panel=["x:one"], judge="x:judge")
    assert judged.synthesizer_or_default == judged.judge_or_default == Panelist(model="x:judge")
    written = FusionConfig(panel=["x:one"], judge="x:judge", synthesizer="x:writer")
    assert written.synthesizer_or_default == Panelist(model="x:writer")


@pytest.mark.parametrize(
    ("panel", "labels"),
    [
        (["openrouter:google/gemini-3-flash"], ["gemini-3-flash"]),
        (["openai:gpt-5.5"], ["gpt-5.5"]),
        (["x:a/m", "y:b/m", "z:m"], ["m", "m-2", "m-3"]),
        ([{"model": "x:m", "seat": "m-2"}, "x:m", "x:m"], ["m-2", "m", "m-3"]),
        (["x:m", {"model": "x:n", "seat": "m"}], ["m-2", "m"]),
        (["openrouter:openai/gpt-oss-120b:free"], ["gpt-oss-120b:free"]),
        (["ollama:qwen3:8b"], ["qwen3:8b"]),
        ([{"model": "llama-3", "base_url": "http://localhost:8000/v1"}], ["llama-3"]),
        ([{"model": "qwen3:8b", "base_url": "http://localhost:11434/v1"}], ["qwen3:8b"]),
    ],
)
def test_a_seats_label_is_its_models_short_name(panel, labels):
    assert list(FusionConfig(panel=panel).seat_labels) == labels


@given(panels)
def test_labels_are_unique_and_given_ones_stay(panel):
    labels = FusionConfig(panel=panel).seat_labels
    assert len(set(labels)) == len(labels) == len(panel)
    assert all(seat.seat in (None, label) for seat, label in zip(panel, labels, strict=True))


def test_the_defaults():
    config = FusionConfig(panel=["x:m"])
    assert config.limits == Limits(seconds=None, seat_seconds=None, quorum=None, grace_seconds=5, min_answers=1)
    assert (config.strategy, config.bash, config.max_tool_calls, config.summary_tokens) == ("panel", "auto", 4, 1500)
    assert (config.search, config.fetch) == (Search(providers=("duckduckgo",)), Fetch(allowed_private_hosts=()))
    assert FusionConfig(panel=["x:m"], search=False).search is None


def test_a_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        FusionConfig(panel=["x:m"]).bash = "off"


def test_it_goes_through_json():
    config = FusionConfig(panel=["x:m"], limits=Limits(quorum=1), search=None, excluded_domains=("example.org",))
    assert FusionConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("site", ["example.org", "*.example.org", "https://example.org:8080/x", "ä.example", "[::1]"])
def test_a_site_is_a_domain_or_an_address(site):
    assert FusionConfig(**ONE, excluded_domains=(site,)).excluded_domains == (site,)
