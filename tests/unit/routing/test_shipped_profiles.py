"""The shipped profiles: every model that may be named is in them, priced, dated and with a source."""

from datetime import date, timedelta

import pytest

from fusion_tool.budget.pricing import is_priced
from fusion_tool.config.presets import shipped_roles
from fusion_tool.config.schema import FusionConfig
from fusion_tool.models.local.catalog import CATALOG
from fusion_tool.routing import ages, decide
from fusion_tool.routing.ages import OLD, TOO_OLD, age_models, newest_score
from fusion_tool.routing.profiles import last_successor, profile_of

TODAY = date(2026, 11, 29)


AUTO = FusionConfig(panel=("openrouter:v/a", "openrouter:v/b"), judge="openrouter:v/j", strategy="auto", health=False)
CODE = "Why does this Python function raise a KeyError? def f(d): return d['x']"
PUZZLE = "Prove that the square root of 2 is irrational."


@pytest.fixture
def _today(shipped_profiles, monkeypatch):  # noqa: ARG001 - what is shipped, on the day of its newest score and later
    monkeypatch.setattr(decide, "_today", lambda: TODAY)


@pytest.mark.usefixtures("_today")
@pytest.mark.parametrize(
    ("question", "quality", "models", "words"),
    [
        pytest.param(CODE, 1.0, ["anthropic/claude-opus-5.5"], "59 days old", id="the best there is"),
        pytest.param(CODE, 0.97, ["anthropic/claude-opus-5.5"], "Terminal-Bench 4.0", id="coding"),
        pytest.param(CODE, 0.95, ["anthropic/claude-sonnet-5.5"], "59 days old", id="coding, cheaper"),
        pytest.param(PUZZLE, 0.95, ["v/a", "v/b"], "no allowed model has a known score for mathematics", id="unknown"),
        pytest.param("Hm.", 0.95, ["v/a", "v/b"], "not sure what kind of question", id="unsure"),
    ],
)
async def test_what_the_router_chooses_today(question, quality, models, words):
    """By the shipped profiles; the other tables of the router rest on those of March."""
    config = AUTO.model_copy(update={"quality": quality})
    decision = await decide.decide(config, question, "", keyed=frozenset({"openrouter"}))
    assert [seat.model.removeprefix("openrouter:") for seat in decision.choice.panel] == models
    assert words in decision.choice.reason


def test_every_model_of_every_preset_is_known(shipped_profiles):
    for role in shipped_roles():
        for model in (role.model_name, *role.fallbacks):
            assert profile_of(model, shipped_profiles), model
    assert all(profile_of(f"local:{name}", shipped_profiles) for name in CATALOG)


def test_every_model_has_a_price(shipped_profiles):
    assert [model.id for model in shipped_profiles.values() if not any(map(is_priced, model.names))] == []


def test_every_score_has_a_source_that_can_be_looked_up(shipped_profiles):
    scores = [score for model in shipped_profiles.values() for rows in model.scores.values() for score in rows]
    assert all(score.source.startswith("https://") for score in scores)
    assert max(score.date for score in scores) == newest_score(shipped_profiles.values())


def test_eight_vendors_have_a_model_of_this_generation(shipped_profiles):
    current = {
        model.vendor
        for model in shipped_profiles.values()
        if model.successor is None and any(score.date > date(2026, 9, 1) for score in model.scores.get("general", ()))
    }
    assert len(current) >= 8


def test_successors_end_at_a_model_that_has_none(shipped_profiles):
    for model in shipped_profiles.values():
        assert last_successor(model, shipped_profiles).successor is None


@pytest.mark.parametrize(
    ("model", "findings"),
    [
        ("openrouter:anthropic/claude-opus-5.5", []),
        ("openrouter:openai/gpt-5-mini", ["retires on 2026-12-11", "superseded by openai/gpt-6.1-terra"]),
        ("openrouter:nobody/nothing", ["the price list does not know it: gone, renamed or misspelled"]),
        (
            "openrouter:google/gemini-3-flash",
            ["renamed: the price list has it as openrouter:google/gemini-3-flash-preview"],
        ),
        ("openrouter:moonshotai/kimi-k2.6", ["superseded by moonshotai/kimi-k3.1-pro"]),
    ],
)
def test_what_has_aged_of_a_model(shipped_profiles, model, findings):
    (age,) = age_models([model, model], shipped_profiles)
    assert age.findings(TODAY) == findings


def test_a_model_that_is_superseded_and_no_longer_priced_is_gone(shipped_profiles):
    old = shipped_profiles["openai/gpt-5-mini"].model_copy(update={"id": "openai/gpt-0", "direct": None})
    (age,) = age_models(["openrouter:openai/gpt-0"], {**shipped_profiles, old.id: old})
    assert age.findings(TODAY)[0] == "gone: the price list no longer knows it"


def test_a_retired_model_and_an_old_score_are_told(shipped_profiles):
    (age,) = age_models(["openai:gpt-5-mini"], shipped_profiles)
    assert age.findings(age.retires_on)[0] == "retired on 2026-12-11"
    assert age.findings(age.scored_on + OLD + timedelta(days=1))[-1] == "its newest score is 121 days old"


@pytest.mark.parametrize(("days", "code"), [(TOO_OLD.days, 0), (TOO_OLD.days + 1, 1)])
def test_a_release_needs_a_score_that_is_young_enough(shipped_profiles, monkeypatch, capsys, days, code):
    newest = newest_score(shipped_profiles.values())
    monkeypatch.setattr(ages, "_today", lambda: newest + timedelta(days=days))
    assert ages.main() == code
    assert capsys.readouterr().out.endswith(f"the newest score is of {newest}\n")
