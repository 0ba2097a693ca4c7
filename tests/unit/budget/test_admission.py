"""Asked before the first call: a run that could begin is not refused, and one that cannot is not begun."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool import BudgetExceeded, ConfigError, FusionConfig, Limits, PanelFailed, afuse, preset
from fusion_tool.budget.admission import _PROMPT_BYTES, check_limits
from fusion_tool.budget.ledger import Ledger, OverBudgetError, StageBudget
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.testing import ScriptedChat, fake_config

QUESTION = "What is it?"
MODELS = ("openrouter:openai/gpt-5.4-mini", "openrouter:anthropic/claude-opus-4.8", "local:smollm2")

seat = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "fallbacks": st.lists(st.sampled_from(MODELS), max_size=2),
    }
)


def roles(config):
    return [role for role in strategy_named(config.strategy).roles(config) if role[0].startswith("panel.")]


def check(config, asked=None, question=QUESTION, session=None):
    strategy = strategy_named(config.strategy)
    asked = roles(config) if asked is None else asked
    check_limits(config, asked, question, parts=strategy.limit_parts(config), session=session)


def refusal(config):
    try:
        check(config)
    except BudgetExceeded as refused:
        return refused
    return None


def could_begin(config):
    """How many seats' first calls fit, each by one of its models, as the ledger itself decides."""
    ledger = Ledger(usd=config.limits.usd, tokens=config.limits.tokens, shares=strategy_named(config.strategy).shares)
    seats = config.panel[:1] if config.strategy == "solo" else config.panel
    return sum(any(_holds(ledger, one, name, len(seats)) for name in (one.model_name, *one.fallbacks)) for one in seats)


def _holds(ledger, one, name, seats):
    tab = StageBudget(ledger, "panelist", 1 / seats)
    try:
        held = tab.reserve_now(name, _PROMPT_BYTES + len(QUESTION), one.max_tokens)
    except OverBudgetError:
        return False
    tab.settle(held, None)
    return True


@settings(deadline=None)  # the first example loads the price list
@given(
    st.lists(seat, min_size=1, max_size=4),
    st.none() | st.floats(1e-6, 0.1),
    st.none() | st.integers(1, 12_000),
    st.integers(1, 4),
    st.sampled_from(["panel", "solo"]),
    st.none() | st.integers(1, 400),
)
def test_it_decides_as_the_ledger_would(panel, usd, tokens, min_answers, strategy, max_tokens):  # noqa: PLR0913, PLR0917 - what hypothesis draws
    most = 1 if strategy == "solo" else len(panel)
    limits = {"usd": usd, "tokens": tokens, "min_answers": min(min_answers, most)}
    seats = [one | {"max_tokens": max_tokens} for one in panel]
    config = FusionConfig(panel=seats, limits=limits, strategy=strategy, search=None, bash="off")
    refused = refusal(config)
    assert (refused is None) == (could_begin(config) >= config.limits.min_answers)
    if refused:
        assert refused.value > refused.limit == getattr(config.limits, refused.kind)


def test_without_limits_nothing_is_refused():
    config = FusionConfig(panel=("nobody:nothing",))
    check(config, question=QUESTION * 1000)


@pytest.mark.parametrize("where", ["panel", "fallbacks", "judge"])
def test_a_dollar_limit_wants_a_price_of_everybody(where):
    unpriced = "nobody:nothing"
    one = {"model": MODELS[0], "fallbacks": [unpriced] if where == "fallbacks" else []}
    config = FusionConfig(panel=(unpriced if where == "panel" else one,), judge=unpriced, limits={"usd": 9.0})
    asked = [*roles(config), *([("judge", config.judge_or_default)] if where == "judge" else [])]
    with pytest.raises(ConfigError, match=r"no known price.*allow_unpriced") as refused:
        check(config, asked)
    assert refused.value.field == ("judge.model" if where == "judge" else "panel.0.model")
    check(config.model_copy(update={"allow_unpriced": True}), asked)
    check(config.model_copy(update={"limits": preset("budget").limits}), asked)


@pytest.mark.parametrize("strategy", ["panel", "solo", "cascade", "chain", "auto"])
@pytest.mark.parametrize("follow_up", [False, True])
def test_every_strategy_is_refused_below_what_its_seats_parts_allow(strategy, follow_up):
    config = FusionConfig(panel=MODELS[:1] * 4, strategy=strategy, follow_up=follow_up, search=None, bash="off")
    needed = {"solo": 1.0}.get(strategy, (7 if follow_up else 4) / 0.6) * (1000 + 256 + 6)
    for tokens, begins in ((needed * 0.99, False), (needed * 1.01, True)):
        refused = refusal(config.model_copy(update={"limits": Limits(tokens=int(tokens))}))
        assert (refused is None) is begins


def test_more_answers_than_seats_are_asked_want_all_of_them():
    config = FusionConfig(panel=MODELS, strategy="solo", limits={"usd": 1.0, "min_answers": 3})
    assert refusal(config) is None


def session(**limits):
    return Ledger(**({"usd": None, "tokens": None} | limits))


@pytest.mark.parametrize("limit", [{"usd": 1e-7}, {"tokens": 100}])
def test_a_session_that_leaves_too_little_refuses_in_its_own_name(limit):
    ((kind, left),) = limit.items()
    config = FusionConfig(panel=MODELS[:2], limits={"usd": 1.0, "tokens": 100_000})
    with pytest.raises(BudgetExceeded, match=rf"^session_limits\.{kind}: .* is left; raise it") as refused:
        check(config, session=session(**limit))
    assert (refused.value.kind, refused.value.limit, refused.value.limits) == (kind, left, "session_limits")


def test_a_session_limit_of_dollars_wants_a_price_of_everybody_too():
    config = FusionConfig(panel=("nobody:nothing",))
    with pytest.raises(ConfigError, match=r"session_limits\.usd cannot be kept.*allow_unpriced"):
        check(config, session=session(usd=5.0))
    check(config.model_copy(update={"allow_unpriced": True}), session=session(usd=5.0))
    check(config, session=session(tokens=100_000))


@pytest.mark.parametrize("tools", [{}, {"search": {"providers": ["searxng"]}}], ids=["no tools", "tools"])
@pytest.mark.parametrize("tokens", [1_000, 2_000, 4_000, 6_000, 10_000, 20_000])
async def test_a_run_either_calls_somebody_or_is_refused_before(monkeypatch, tools, tokens):
    """Never a panel that is begun only to find that not one call fits."""
    monkeypatch.setenv("SEARXNG_URL", "http://127.0.0.1:9")
    seats = [ScriptedChat(replies=["An answer."], model_name=f"local:{name}") for name in "ab"]
    try:
        await afuse(QUESTION, fake_config(panel=seats, limits={"tokens": tokens}, **tools))
    except BudgetExceeded:
        assert not any(one.prompts for one in seats)
    except PanelFailed as failed:
        pytest.fail(f"begun with nothing to spend: {failed}")
    else:
        assert all(one.prompts for one in seats)
