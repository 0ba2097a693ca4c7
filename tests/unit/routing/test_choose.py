"""The router: the cheapest models that are good enough, why, and what binds where there are none."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_tool.config.schema import FusionConfig, Limits, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.routing.candidates import rejection_rule
from fusion_tool.routing.choose import choose
from fusion_tool.routing.classifier.signals import DOMAINS, Signals
from fusion_tool.routing.profiles import load_profiles

OPUS = "openrouter:anthropic/claude-opus-4.6"
GPT = "openrouter:openai/gpt-5.4"
GLM = "openrouter:z-ai/glm-5"
GEMINI = "openrouter:google/gemini-3.1-pro-preview"
OWN = FusionConfig(panel=("openrouter:v/a", "openrouter:v/b"), judge="openrouter:v/j", strategy="auto")
TODAY = date(2026, 4, 1)
SCORED = ("coding", "science", "reasoning", "computer_use")
"""Domains in which models of March have scores."""


@pytest.fixture
def profiles(tmp_path):
    return load_profiles(tmp_path)


def told(domain="coding", **given):
    values = {
        "domain": domain,
        "closed": False,
        "difficulty": "medium",
        "deep": False,
        "needs_fresh": False,
        "language": "en",
        "length": 20,
        "confidence": 0.9,
        "evidence": (f"{domain}: a word",),
    }
    return Signals(**values | given)


def chosen(profiles, signals, config=OWN, **given):
    refusal = rejection_rule(config, profiles=profiles, keyed=None)
    return choose(
        "question",
        "",
        config,
        **{"profiles": profiles, "today": TODAY, "signals": signals, "rejection_of": refusal} | given,
    )


def models(choice):
    return [seat.model for seat in choice.panel]


def changed(profiles, model, **values):
    return {**profiles, model: profiles[model].model_copy(update=values)}


@pytest.mark.parametrize(
    ("domain", "quality", "model"),
    [
        ("coding", 0.97, OPUS),
        ("coding", 0.95, GLM),
        ("reasoning", 0.95, GEMINI),
        ("reasoning", 1.0, GEMINI),
        ("computer_use", 0.95, GPT),
        ("computer_use", 0.98, GPT),
        ("science", 0.95, GEMINI),
        ("science", 0.90, GLM),
    ],
)
def test_the_cheapest_that_is_good_enough(profiles, domain, quality, model):
    choice = chosen(profiles, told(domain), OWN.model_copy(update={"quality": quality}))
    assert choice.strategy == "solo"
    assert models(choice) == [model]


UNPRICED = "nobody/nothing"


@pytest.fixture
def worlds(profiles):
    """Models by how their quality is known."""
    best = profiles["anthropic/claude-opus-4.6"]
    return {
        "as shipped": profiles,
        "the best has no price": {**profiles, UNPRICED: best.model_copy(update={"id": UNPRICED})},
        "far behind it": {
            UNPRICED: best.model_copy(update={"id": UNPRICED}),
            "z-ai/glm-5": profiles["z-ai/glm-5"],
        },
        "one alone": {best.id: best},
        "none has a score": {best.id: best.model_copy(update={"scores": {}})},
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    world=st.sampled_from(
        ["as shipped", "the best has no price", "far behind it", "one alone", "none has a score"],
    ),
    signals=st.builds(
        told,
        st.sampled_from(DOMAINS),
        closed=st.booleans(),
        deep=st.booleans(),
        difficulty=st.sampled_from(["easy", "medium", "hard"]),
    ),
    quality=st.floats(0, 1, exclude_min=True) | st.sampled_from([0.975, 0.98, 0.99, 1.0]),
    usd=st.none() | st.sampled_from([0.01, 0.1, 1.0]),
)
def test_at_any_quality_there_is_a_plan_or_a_limit_that_binds(worlds, world, signals, quality, usd):
    """Quality alone never leaves a question without a plan; a wish that nobody meets is told with what there is."""
    config = OWN.model_copy(update={"quality": quality, "limits": Limits(usd=usd)})
    try:
        choice = chosen(worlds[world], signals, config)
    except ConfigError as error:
        binding = error.field
    else:
        binding = None
    if binding is not None:
        assert (binding, usd is not None) == ("limits.usd", True)
        return
    priced = [one for one in choice.candidates if None not in (one.quality, one.usd)]
    best = max((one.quality for one in priced), default=None)
    unmet = f"No candidate has quality {quality:g} here, the best one has"
    assert (unmet in choice.reason) == (best is not None and best < quality)
    if best is not None and best < quality:
        assert "good enough" not in choice.reason
        by_model = {one.model: one for one in priced}
        assert by_model[models(choice)[-1]].quality == best


@pytest.mark.parametrize("domain", SCORED)
@pytest.mark.parametrize("quality", [0.5, 0.9, 0.95, 0.975, 1.0])
def test_nothing_cheaper_would_have_been_good_enough(profiles, domain, quality):
    choice = chosen(profiles, told(domain), OWN.model_copy(update={"quality": quality}), nearest=True)
    by_model = {one.model: one for one in choice.candidates}
    taken = by_model[choice.panel[0].model]
    good = [one for one in choice.candidates if one.quality is not None and one.quality >= quality]
    assert not [one for one in good if one.usd < taken.usd]


@pytest.mark.parametrize("domain", ["mathematics", "writing", "retrieval", "current_events", "general"])
def test_where_nobody_has_a_score_the_configured_panel_is_no_guess(profiles, domain):
    choice = chosen(profiles, told(domain))
    assert (choice.strategy, choice.panel) == ("panel", OWN.panel)
    assert "no allowed model has a known score for" in choice.reason


def test_the_reason_names_domain_evidence_threshold_model_and_price(profiles):
    reason = chosen(profiles, told("computer_use", evidence=("computer_use: click",))).reason
    for part in ("computer use (click)", "gpt-5.4", "0.95 asked", "OSWorld", "75 points", "$0."):
        assert part in reason


def test_unsure_means_the_configured_panel(profiles):
    choice = chosen(profiles, told(confidence=0.49))
    assert (choice.strategy, choice.panel) == ("panel", OWN.panel)
    assert (choice.judge, choice.synthesizer) == (None, None)
    assert "not sure" in choice.reason


def test_a_hard_open_question_gets_different_families(profiles):
    choice = chosen(profiles, told(difficulty="hard"))
    assert choice.strategy == "panel"
    assert models(choice) == [GLM, GPT, OPUS]
    assert "different model families" in choice.reason
    assert choice.judge is None  # the configured one


def test_a_contested_question_does_too(profiles):
    assert chosen(profiles, told(deep=True)).strategy == "panel"
    assert chosen(profiles, told(deep=True, closed=True)).strategy == "solo"


def test_a_hard_closed_question_gets_two_scouts_and_the_best(profiles):
    choice = chosen(profiles, told(difficulty="hard", closed=True))
    assert choice.strategy == "cascade"
    assert models(choice) == [GLM, GEMINI, OPUS]


def test_behind_each_seat_stand_other_families(profiles):
    for signals in (told(), told(difficulty="hard"), told(difficulty="hard", closed=True)):
        for seat in chosen(profiles, signals).panel:
            own = seat.model.partition("/")[0]
            assert seat.fallbacks
            assert not [name for name in seat.fallbacks if name.startswith(own)]


def test_without_a_judge_of_ones_own_the_best_writes_and_another_family_judges(profiles):
    config = OWN.model_copy(update={"judge": None})
    choice = chosen(profiles, told(difficulty="hard"), config)
    assert (choice.judge.model, choice.synthesizer.model) == (GPT, OPUS)


def test_scores_of_a_model_that_has_changed_are_told_and_not_used(profiles):
    day = date(2026, 3, 20)
    (row,) = profiles["z-ai/glm-5"].scores["coding"]
    stale = changed(profiles, "z-ai/glm-5", scores={"coding": (row.model_copy(update={"stale_since": day}),)})
    choice = chosen(stale, told())
    assert models(choice) == [GPT]
    assert "not used, as the models have changed: scores of z-ai/glm-5 (since 2026-03-20)" in choice.reason


def test_quality_is_a_share_of_the_best_allowed(profiles):
    config = OWN.model_copy(update={"quality": 0.97, "deny": ("anthropic/*",)})
    assert models(chosen(profiles, told(), config)) == [GLM]


def test_only_open_weights(profiles):
    config = OWN.model_copy(update={"require_open_weights": True, "quality": 1.0})
    assert models(chosen(profiles, told(), config)) == [GLM]


def test_without_openrouter_a_vendor_is_asked_directly(profiles):
    refusal = rejection_rule(OWN, profiles=profiles, keyed={"anthropic"})
    assert models(chosen(profiles, told(), rejection_of=refusal)) == ["anthropic:claude-opus-4-6"]


@pytest.mark.parametrize("gone", [GLM, GPT, OPUS, GEMINI])
def test_one_model_gone_is_replaced(profiles, gone):
    for domain in DOMAINS:
        choice = chosen(profiles, told(domain), unavailable={gone})
        assert gone not in [name for seat in choice.panel for name in (seat.model, *seat.fallbacks)]


def test_a_withdrawn_model_is_not_chosen(profiles):
    profiles = changed(profiles, "z-ai/glm-5", retires_on=TODAY)
    choice = chosen(profiles, told())
    assert models(choice) == [GPT]
    assert "withdrawn since 2026-04-01" in [one.rejection for one in choice.candidates]


def test_a_question_too_long_for_a_model_goes_elsewhere(profiles):
    profiles = changed(profiles, "z-ai/glm-5", context=8)
    assert models(choose("word " * 50, "", OWN, profiles=profiles, today=TODAY, signals=told())) == [GPT]


def test_the_models_configured_settings_are_kept(profiles):
    seat = Panelist(model=GLM, temperature=0.3, fallbacks=("openrouter:v/x",))
    choice = chosen(profiles, told(), OWN.model_copy(update={"panel": (seat,)}))
    assert choice.panel[0].temperature == 0.3
    assert choice.panel[0].fallbacks == (GPT, OPUS)


def test_ones_own_measurements_of_several_models_decide(tmp_path):
    row = '{{ score = {}, benchmark = "own", source = "here", date = 2026-11-01 }}'
    rows = {"z-ai/glm-5": 40, "openai/gpt-5.4": 80}
    text = "".join(f'["{name}".scores]\ncoding = {row.format(score)}\n' for name, score in rows.items())
    (tmp_path / "profiles.measured.toml").write_text(text, "utf-8")
    choice = chosen(load_profiles(tmp_path), told())
    assert models(choice) == [GPT]
    assert "by own" in choice.reason


def test_one_measurement_alone_compares_with_nothing(tmp_path):
    row = '{ score = 5, benchmark = "own", source = "here", date = 2026-11-01 }'
    (tmp_path / "profiles.measured.toml").write_text(f'["z-ai/glm-5".scores]\ncoding = {row}\n', "utf-8")
    assert models(chosen(load_profiles(tmp_path), told())) == [GLM]


def limited(**limits):
    return OWN.model_copy(update={"limits": Limits(**limits), "quality": 0.97})


def test_a_limit_in_dollars_that_binds_is_named(profiles):
    with pytest.raises(
        ConfigError, match=r"claude-opus-4.6 .*more than \$0.1.*lower quality to 0.962 for glm-5"
    ) as caught:
        chosen(profiles, told(), limited(usd=0.1))
    assert caught.value.field == "limits.usd"


def test_a_limit_in_seconds_that_binds_is_named(profiles):
    profiles = changed(profiles, "anthropic/claude-opus-4.6", tokens_per_second=10)
    with pytest.raises(ConfigError, match="s expected, more than 60") as caught:
        chosen(profiles, told(), limited(seconds=60))
    assert caught.value.field == "limits.seconds"


def test_the_nearest_plan_gives_up_quality_first(profiles):
    choice = chosen(profiles, told(), limited(usd=0.1), nearest=True)
    assert models(choice) == [GLM]
    assert "quality 0.963 instead of 0.97" in choice.reason


def test_the_nearest_plan_says_when_no_plan_is_within_the_limits(profiles):
    choice = chosen(profiles, told(), limited(usd=0.001), nearest=True)
    assert models(choice) == [GLM]
    assert "not within the limits" in choice.reason


def test_a_smaller_shape_is_taken_where_a_larger_would_pass_the_limit(profiles):
    whole = chosen(profiles, told(difficulty="hard")).usd
    config = OWN.model_copy(update={"limits": Limits(usd=0.3), "judge": Panelist(model=GLM)})
    choice = chosen(profiles, told(difficulty="hard"), config)
    assert whole is None  # nobody knows what the configured judge costs
    assert models(choice) == [GLM, GPT]
    assert choice.usd <= 0.3
    assert "A panel of 3 would pass limits.usd" in choice.reason


def test_an_unpriced_model_is_not_chosen(profiles):
    fast = profiles["z-ai/glm-5"].model_copy(update={"id": "nobody/nothing"})
    choice = chosen({"nobody/nothing": fast, **profiles}, told())
    assert models(choice) == [GLM]
    assert "no known price" in [one.rejection for one in choice.candidates]


@pytest.mark.parametrize(
    ("day", "strategy", "words"),
    [
        (date(2026, 3, 1), "solo", "The newest score compared is 0 days old."),
        (date(2026, 6, 29), "solo", "The newest score compared is 120 days old."),
        (
            date(2026, 6, 30),
            "panel",
            "too old to choose by: all 2 configured seats; the newest score compared is 121 days old",
        ),
    ],
)
def test_a_choice_tells_how_old_its_scores_are_and_rests_on_no_old_ones(profiles, day, strategy, words):
    choice = chosen(profiles, told(), today=day)
    assert choice.strategy == strategy
    assert words in choice.reason


def test_where_nobody_has_a_score_the_configured_panel_says_so(profiles):
    bare = {name: profile.model_copy(update={"scores": {}}) for name, profile in profiles.items()}
    assert "no allowed model has a score that could be compared" in chosen(bare, told()).reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    wishes=st.fixed_dictionaries(
        {
            "quality": st.floats(0, 1, exclude_min=True),
            "limits": st.builds(Limits, usd=st.none() | st.floats(1e-6, 10)),
        }
    ),
    asked=st.fixed_dictionaries(
        {
            "domain": st.sampled_from(DOMAINS),
            "closed": st.booleans(),
            "difficulty": st.sampled_from(["easy", "medium", "hard"]),
        }
    ),
    scores=st.lists(st.floats(0, 100), min_size=4, max_size=4),
    are_retired=st.booleans(),
)
def test_no_quality_limit_or_score_crashes_it(profiles, wishes, asked, scores, are_retired):
    rated = dict(profiles)
    for profile, points in zip(profiles.values(), scores, strict=False):
        rows = {key: (row[0].model_copy(update={"score": points}),) for key, row in profile.scores.items()}
        rated[profile.id] = profile.model_copy(update={"scores": rows, "retires_on": TODAY if are_retired else None})
    config, signals = OWN.model_copy(update=wishes), told(**asked)
    nearest = chosen(rated, signals, config, nearest=True)
    assert ("days old" in nearest.reason) == (not are_retired and asked["domain"] in SCORED)
    try:
        assert chosen(rated, signals, config).panel
    except ConfigError as error:
        assert error.field in ("limits.usd", "limits.seconds")  # noqa: PT017 - raised for some examples alone


def test_where_every_model_is_retired_the_configured_panel_is_asked(profiles):
    retired = {name: profile.model_copy(update={"retires_on": TODAY}) for name, profile in profiles.items()}
    choice = chosen(retired, told(), OWN.model_copy(update={"quality": 1.0}))
    assert choice.strategy == "panel"
    assert models(choice) == ["openrouter:v/a", "openrouter:v/b"]
