"""Whatever a caller wishes for, through whichever server: models, addresses, tools, seats and money stay inside."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool import ConfigError, FusionConfig, FusionError
from fusion_tool.config.presets import load_presets, preset
from fusion_tool.config.schema import Documents, Fetch, Limits, Panelist, Search
from fusion_tool.graph.estimate import estimate
from fusion_tool.graph.inputs import LONGEST_QUESTION
from fusion_tool.servers.agent_server import context_schema
from fusion_tool.servers.mcp.tool import parse_arguments
from fusion_tool.servers.narrowing import require_inside
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.request import parse_request
from fusion_tool.servers.overrides import OVERRIDABLE, LimitOverrides, apply_overrides, parse_overrides

HOUSE = Panelist(model="own:llama", base_url="http://10.0.0.7:8000/v1", api_key_env="OWN_KEY", seat="house")
SMALL = Panelist(model="own:qwen", base_url="http://10.0.0.7:8000/v1", max_tokens=500, temperature=0.2)
TWICE = Panelist(model="own:qwen", base_url="http://10.0.0.8:8000/v1", reasoning="low", fallbacks=("own:gemma",))
FREE, PAID = "openrouter:z-ai/glm-4.5-air:free", "openrouter:anthropic/claude-haiku-4.5"
RULES = {
    "documents": Documents(path="/srv/papers", send_to="local"),
    "fetch": Fetch(allowed_private_hosts=("wiki.corp",)),
    "search": Search(providers=("searxng",)),
    "excluded_domains": ("example.org",),
    "blocked_fragments": ("canary",),
    "deny": ("xai/*",),
    "quality": 0.9,
}
OPERATORS = {
    "limits on everything": FusionConfig(
        panel=(HOUSE, SMALL, FREE), judge=TWICE, limits=Limits(usd=1, tokens=9000, seconds=60, seat_seconds=30), **RULES
    ),
    "dollars, and models without a price": FusionConfig(
        panel=(HOUSE, FREE), synthesizer=SMALL, limits=Limits(usd=0.5), allow_unpriced=True, bash="off"
    ),
    "no limit, no price": FusionConfig(panel=(HOUSE, SMALL), judge=TWICE, max_tool_calls=2, search=None),
    "no limit, one seat alone": FusionConfig(panel=(SMALL, HOUSE, TWICE), strategy="solo", bash="off"),
    "routed": FusionConfig(panel=(HOUSE, SMALL), strategy="auto", candidates="configured", verify=TWICE),
}
ALSO = load_presets(["local"])
EQUAL = (
    *("fetch", "blocked_fragments", "privacy", "deny", "require_open_weights", "cache", "hedge", "health"),
    *("trace_content", "summary_tokens"),
)


def worst(config):
    bill = estimate(config, "x" * LONGEST_QUESTION)
    return bill.worst.usd or 0.0, bill.worst.input_tokens + bill.worst.output_tokens


def identity(panelist):
    return panelist.model_dump(exclude={"seat", "max_tokens", "fallbacks"}).items()


def answers_of(panelist, own):
    """Whether the model asked is the operator's, as he set it up."""
    longest = math.inf if panelist.max_tokens is None else panelist.max_tokens
    return (
        identity(panelist) == identity(own)
        and longest <= (own.max_tokens or math.inf)
        and set(panelist.fallbacks) <= set(own.fallbacks)
    )


def outside(config, operator, brought=None):
    """What of a configuration is not inside the operator's; `brought` is the preset that was chosen."""
    both = [operator, brought] if brought else [operator]
    offered = [panelist for one in both for panelist in one.roles]
    found = [f"asks {one.model_name}" for one in config.roles if not any(answers_of(one, own) for own in offered)]
    found += ["seats"] if len(config.panel) > max(len(one.panel) for one in both) else []
    found += [name for name in EQUAL if getattr(config, name) != getattr(operator, name)]
    found += [n for n in ("search", "documents") if getattr(config, n) not in (None, getattr(operator, n))]
    found += ["bash"] if config.bash not in ("off", operator.bash) else []
    found += ["excluded_domains"] if not set(operator.excluded_domains) <= set(config.excluded_domains) else []
    found += [name for name in ("max_tool_calls", "quality") if not getattr(config, name) <= getattr(operator, name)]
    for name in ("usd", "tokens", "seconds", "seat_seconds", "grace_seconds"):
        own, now = getattr(operator.limits, name), getattr(config.limits, name)
        found += [name] if own is not None and not (now is not None and now <= own) else []
    if config.strategy == "auto" and "auto" not in (operator.strategy, config.candidates):
        found += ["candidates"] if config.candidates != "configured" else []
    return found + _money(config, both)


def _money(config, both):
    operator, found = both[0], []
    if operator.limits.usd is not None and config.allow_unpriced != operator.allow_unpriced:
        found.append("allow_unpriced")
    for place, kind in enumerate(("usd", "tokens")):
        if getattr(operator.limits, kind) is not None:
            continue
        most, limit = max(worst(one)[place] for one in both), getattr(config.limits, kind)
        is_bounded = limit is not None and limit <= most
        unpriced = kind == "usd" or bool(estimate(config, "").unpriced)
        if unpriced and not is_bounded and worst(config)[place] > most:
            found.append(f"money: {kind}")
    return found


LOOKALIKE = "own:ll\u0430ma"  # the third letter is Cyrillic
NUMBERS = (math.nan, math.inf, -math.inf, -1, 0, True, False, 10**30, 10**400, 1e308)
TEXTS = ("", "9", "off", "\ud800", LOOKALIKE, "OWN:LLAMA", "house ")
ODD = st.sampled_from([*NUMBERS, *TEXTS, None, [], {}, ["house"] * 9, {"usd": {"usd": 1}}, ["example.com"] * 3])
MODEL = st.sampled_from(
    ["house", "own:llama", "llama", "qwen", "own:qwen", "own:gemma", "gemma", FREE, PAID, "smollm2-135m", LOOKALIKE]
)
GOOD = {
    "preset": st.sampled_from(["local", "budget", "frontier"]),
    "models": st.lists(MODEL, max_size=5),
    "judge": MODEL,
    "synthesizer": MODEL,
    "strategy": st.sampled_from(["panel", "solo", "cascade", "chain", "auto"]),
    "limits": st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(LimitOverrides.model_fields, st.floats(0, 200) | st.integers(-1, 10_000) | ODD),
    ),
    "quality": st.floats(0, 1.5),
    "excluded_domains": st.lists(st.sampled_from(["a.example", "example.org", "ä.example", "*"])),
    "follow_up": st.booleans(),
    "max_tool_calls": st.integers(-1, 70),
    "max_tokens": st.integers(-1, 9000),
    "tools": st.booleans(),
    "list_sources": st.booleans(),
}
WISH = st.fixed_dictionaries({}, optional={name: GOOD[name] | ODD for name in OVERRIDABLE}) | st.fixed_dictionaries(
    {}, optional=GOOD
)
SEARCH_AND_FETCH = [{"type": "openrouter:web_search"}, {"type": "openrouter:web_fetch"}]


def by_http(operator, wish):
    body = {"model": "fusion", "messages": [{"role": "user", "content": "Why?"}], "fusion": wish}
    return apply_overrides(operator, parse_request(body).fusion, presets=ALSO)


def by_mcp(operator, wish):
    limits = wish.get("limits")
    limits = limits if isinstance(limits, dict) else {}
    named = {"max_usd": limits.get("usd"), "max_seconds": limits.get("seconds")}
    rest = {name: wish[name] for name in ("strategy", "excluded_domains") if name in wish}
    return parse_arguments({"question": "Why?", **named, **rest}, takes_run_id=False).config_for(operator)


def by_agent_server(operator, wish):
    return context_schema(operator, ALSO)(**wish)


FACES = (by_http, by_mcp, by_agent_server)


def test_every_wish_is_tried():
    assert set(GOOD) == set(OVERRIDABLE)


@settings(max_examples=500)
@given(wish=WISH, operator=st.sampled_from(list(OPERATORS)), face=st.sampled_from(FACES))
def test_no_wish_widens(wish, operator, face):
    own = OPERATORS[operator]
    try:
        config = face(own, wish)
    except (FusionError, ApiError):
        return
    brought = preset("local") if wish.get("preset") == "local" and face is not by_mcp else None
    assert outside(config, own, brought) == []


OPUS, GEMINI = "claude-opus-4.8", "gemini-3-flash-preview"
BUDGET = preset("budget")


@pytest.mark.parametrize(
    "wish",
    [
        {"models": [OPUS] * 3},
        {"models": [GEMINI], "judge": OPUS, "strategy": "auto"},
        {"follow_up": True},
        {"strategy": "chain"},
    ],
    ids=str,
)
def test_where_no_limit_is_set_a_dearer_run_may_cost_what_the_operators_own_could(wish):
    config = apply_overrides(BUDGET, parse_overrides(wish))
    assert config.limits.usd == worst(BUDGET)[0]
    assert config.limits.model_copy(update={"usd": None}) == BUDGET.limits.model_copy(
        update={"quorum": config.limits.quorum}
    )


@pytest.mark.parametrize(
    "wish", [{"models": [GEMINI]}, {"strategy": "solo"}, {"max_tool_calls": 1}, {"limits": {"seconds": 9}}], ids=str
)
def test_a_cheaper_run_gets_no_limit_that_nobody_set(wish):
    assert apply_overrides(BUDGET, parse_overrides(wish)).limits.usd is None


def test_a_callers_own_limit_stands_where_it_is_the_tighter_one():
    wish = parse_overrides({"follow_up": True, "limits": {"usd": 0.3}})
    assert apply_overrides(BUDGET, wish).limits.usd == 0.3


def test_what_has_no_price_is_bounded_by_its_tokens():
    operator = OPERATORS["no limit, no price"]
    config = apply_overrides(operator, parse_overrides({"follow_up": True}))
    assert (config.limits.usd, config.limits.tokens) == (None, worst(operator)[1])


def test_a_preset_that_the_operator_allows_is_his_own():
    config = apply_overrides(BUDGET, parse_overrides({"preset": "frontier"}), presets=load_presets(["frontier"]))
    assert config.limits.usd is None
    assert [seat.model for seat in config.panel] == [seat.model for seat in preset("frontier").panel]


def test_a_role_keeps_its_own_settings_where_its_model_also_sits_on_the_panel():
    operator = FusionConfig(panel=[{"model": "own:a", "temperature": 1.5}, "own:b"], judge="own:a", synthesizer="own:b")
    config = apply_overrides(operator, parse_overrides({"judge": "a", "models": ["a", "b"]}))
    assert (config.judge.temperature, config.panel[0].temperature) == (None, 1.5)


def test_answers_may_be_shorter_and_no_longer():
    config = apply_overrides(OPERATORS["no limit, no price"], parse_overrides({"max_tokens": 800}))
    assert [seat.max_tokens for seat in config.panel] == [800, 500]
    assert (config.judge.max_tokens, config.synthesizer.max_tokens) == (800, None)


def test_without_tools_the_seats_have_none():
    config = apply_overrides(OPERATORS["limits on everything"], parse_overrides({"tools": False}))
    assert not config.has_tools
    assert apply_overrides(BUDGET, parse_overrides({"tools": True})) == BUDGET


WIDER = [
    ({"panel": (HOUSE, SMALL, FREE, HOUSE.model_copy(update={"seat": None}))}, "panel"),
    ({"judge": HOUSE.model_copy(update={"base_url": "http://10.0.0.9/v1"})}, "panel"),
    ({"judge": HOUSE.model_copy(update={"api_key_env": "OTHER_KEY"})}, "panel"),
    ({"judge": SMALL.model_copy(update={"max_tokens": None})}, "panel"),
    ({"judge": SMALL.model_copy(update={"max_tokens": 501})}, "panel"),
    ({"judge": HOUSE.model_copy(update={"reasoning": "high"})}, "panel"),
    ({"judge": HOUSE.model_copy(update={"fallbacks": ("own:gemma",)})}, "panel"),
    ({"verify": Panelist(model=PAID)}, "panel"),
    ({"limits": Limits(tokens=9000, seconds=60, seat_seconds=30)}, "limits.usd"),
    ({"limits": Limits(usd=1, tokens=9000, seconds=60)}, "limits.seat_seconds"),
    ({"limits": Limits(usd=1, tokens=9000, seconds=60, seat_seconds=30, grace_seconds=6)}, "limits.grace_seconds"),
    ({"max_tool_calls": 5}, "max_tool_calls"),
    ({"quality": 1.0}, "quality"),
    ({"search": Search(providers=("searxng", "tavily"))}, "search"),
    ({"documents": Documents(path="/etc")}, "documents"),
    ({"bash": "sandbox"}, "bash"),
    ({"excluded_domains": ("a.example",)}, "excluded_domains"),
    ({"blocked_fragments": ()}, "blocked_fragments"),
    ({"deny": ()}, "deny"),
    ({"allow_unpriced": True}, "allow_unpriced"),
    ({"hedge": 0.5}, "hedge"),
    ({"cache": True}, "cache"),
    ({"privacy": "local"}, "privacy"),
]


@pytest.mark.parametrize(("change", "field"), WIDER, ids=str)
def test_a_configuration_that_is_wider_is_refused(change, field):
    operator = OPERATORS["limits on everything"]
    require_inside(operator, operator)
    with pytest.raises(ConfigError) as refused:
        require_inside(operator.model_copy(update=change), operator)
    assert refused.value.field == field
