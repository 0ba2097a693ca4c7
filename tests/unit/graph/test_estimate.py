"""The bill in advance: expected by what is assumed, at worst what a limit would let be reserved."""

import pytest

from fusion_tool import FusionConfig, Panelist, afuse
from fusion_tool.budget import amounts, ledger
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.presets import preset
from fusion_tool.graph.estimate import estimate as estimated
from fusion_tool.graph.strategies import ESCALATION, strategy_named
from fusion_tool.models.abilities import Abilities
from fusion_tool.models.speed import Speed
from fusion_tool.testing import ScriptedChat

QUESTION = "Which moon has the thickest atmosphere? Größer als 1 bar."
PRICED, CHEAP, UNPRICED, FREE = (
    "openrouter:openai/gpt-5.4-mini",
    "openrouter:google/gemini-3.1-flash-lite",
    "nobody:nothing",
    "local:smollm2",
)
PLAIN = {"search": None, "bash": "off"}


def config(*models, **fields):
    return FusionConfig(**({"panel": models} | PLAIN | fields))


def test_a_seat_without_tools_makes_one_call():
    bill = estimated(config(PRICED, CHEAP), QUESTION)
    assert [(row.stage, row.seat) for row in bill.rows] == [
        ("panelist", "gpt-5.4-mini"),
        ("panelist", "gemini-3.1-flash-lite"),
        ("judge", None),
        ("synthesizer", None),
    ]
    assert [row.expected.output_tokens for row in bill.rows] == [
        amounts.ANSWER_TOKENS,
        amounts.ANSWER_TOKENS,
        amounts.ANALYSIS_TOKENS,
        amounts.ANSWER_TOKENS,
    ]


def test_the_bill_of_the_preset_of_the_other_kind_stands_beside():
    bill = estimated(preset("budget").model_copy(update={"follow_up": True}), QUESTION)
    other = estimated(preset("value").model_copy(update={"follow_up": True}), QUESTION)
    assert bill.counterpart.preset == "value"
    assert (bill.counterpart.expected, bill.counterpart.worst) == (other.expected, other.worst)
    assert other.counterpart.expected == bill.expected
    assert estimated(config(PRICED), QUESTION).counterpart is None


@pytest.mark.parametrize("fields", [PLAIN, {}, {"max_tool_calls": 9}, {"limits": {"usd": 0.2, "tokens": 90_000}}])
def test_the_rows_add_up_and_nothing_is_expected_beyond_the_worst(fields):
    bill = estimated(FusionConfig(panel=(PRICED, CHEAP), **fields), QUESTION)
    for field in ("input_tokens", "output_tokens", "usd"):
        expected = [getattr(row.expected, field) for row in bill.rows]
        assert getattr(bill.expected, field) == pytest.approx(sum(expected))
        assert getattr(bill.worst, field) <= sum(getattr(row.worst, field) for row in bill.rows) + 1e-12
    if "limits" not in fields:
        for row in bill.rows:
            assert row.expected.input_tokens <= row.worst.input_tokens
            assert row.expected.output_tokens <= row.worst.output_tokens
            assert row.expected.usd <= row.worst.usd


def test_every_row_is_priced_by_the_list():
    for row in estimated(config(PRICED, CHEAP), QUESTION).rows:
        tokens = row.expected.input_tokens, row.expected.output_tokens
        assert row.expected.usd == cost_of(row.model, input_tokens=tokens[0], output_tokens=tokens[1])[0]


def test_tools_cost_turns():
    few, more = (estimated(FusionConfig(panel=(PRICED,), max_tool_calls=n), QUESTION).rows[0] for n in (1, 4))
    none = estimated(FusionConfig(panel=(PRICED,), max_tool_calls=0), QUESTION).rows[0]
    assert none.expected.usd < few.expected.usd < more.expected.usd
    assert none.worst.usd < few.worst.usd < more.worst.usd


@pytest.mark.parametrize(
    ("fields", "stages"),
    [
        ({"strategy": "solo"}, ["panelist"]),
        ({"strategy": "solo", "instructions": "In Latin."}, ["panelist", "synthesizer"]),
        ({}, ["panelist", "panelist", "judge", "synthesizer"]),
        ({"panel": (PRICED,)}, ["panelist", "synthesizer"]),
    ],
)
def test_only_the_stages_that_call_somebody_are_listed(fields, stages):
    bill = estimated(FusionConfig(**({"panel": (PRICED, CHEAP)} | PLAIN | fields)), QUESTION)
    assert [row.stage for row in bill.rows] == stages


def test_an_unpriced_model_is_unknown_and_a_free_one_is_not():
    bill = estimated(config(UNPRICED, FREE, judge=PRICED, synthesizer=FREE), QUESTION)
    assert [row.expected.usd for row in bill.rows[:2]] == [None, 0.0]
    assert [row.worst.usd for row in bill.rows[:2]] == [None, 0.0]
    assert bill.unpriced == [UNPRICED]
    assert bill.expected.usd == bill.rows[2].expected.usd
    assert estimated(config(UNPRICED), QUESTION).expected.usd is None


def test_an_unpriced_fallback_makes_the_worst_unknown_and_not_the_expected():
    row = estimated(config({"model": PRICED, "fallbacks": [UNPRICED]}), QUESTION).rows[0]
    assert row.expected.usd is not None
    assert row.worst.usd is None


def test_fallbacks_are_in_the_worst_case_alone():
    other = "openrouter:anthropic/claude-opus-4.8"
    seats = ({"model": PRICED}, {"model": other}, {"model": PRICED, "fallbacks": [other]})
    alone, second, backed = (estimated(config(seat), QUESTION).rows[0] for seat in seats)
    assert backed.expected == alone.expected
    assert backed.worst.usd == pytest.approx(alone.worst.usd + second.worst.usd)


def test_max_tokens_bounds_both():
    row = estimated(config({"model": PRICED, "max_tokens": 300}), QUESTION).rows[0]
    assert (row.expected.output_tokens, row.worst.output_tokens) == (300, 300)


def test_a_limit_bounds_the_worst_case_by_the_shares_that_a_run_keeps():
    limits = {"usd": 0.01, "tokens": 20_000}
    bill = estimated(config(PRICED, PRICED, limits=limits), QUESTION)
    assert [row.worst.usd for row in bill.rows] == pytest.approx([0.003, 0.003, 0.0075, 0.01])
    assert bill.worst.usd == pytest.approx(0.01)
    assert bill.worst.input_tokens <= 20_000
    assert bill.refused is None


@pytest.mark.parametrize(
    ("models", "limits", "why"),
    [
        ((PRICED,), {"usd": 1e-7}, "limits.usd"),
        ((PRICED,), {"tokens": 10}, "limits.tokens"),
        ((UNPRICED,), {"usd": 1.0}, "no known price"),
    ],
)
def test_a_run_that_would_be_refused_says_why(models, limits, why):
    assert why in estimated(config(*models, limits=limits), QUESTION).refused


def test_one_model_alone_and_how_many_times_that_the_panel_costs():
    bill = estimated(config(PRICED, CHEAP), QUESTION, versus=[PRICED, UNPRICED, FREE])
    first, unknown, free = bill.versus
    assert first.expected == bill.rows[0].expected
    assert first.ratio == pytest.approx(bill.expected.usd / first.expected.usd)
    assert (unknown.expected.usd, unknown.ratio) == (None, None)
    assert (free.expected.usd, free.ratio) == (0.0, None)


def scripted(model, text="An answer."):
    return ScriptedChat(replies=[text], model_name=model)


@pytest.mark.parametrize("max_tokens", [None, 700])
async def test_a_run_under_a_limit_reserves_what_was_estimated(monkeypatch, max_tokens):
    """A seat's one call: to the token. What others wrote before it: never more."""
    held = []
    hold = ledger.Ledger.reserve

    def spy(self, tab, *args):
        held.append((tab.stage, hold(self, tab, *args)))
        return held[-1][1]

    monkeypatch.setattr(ledger.Ledger, "reserve", spy)
    seats = [{"model": scripted(name), "max_tokens": max_tokens} for name in (PRICED, CHEAP)]
    asked = config(*seats, limits={"usd": 1000.0}, judge=scripted(PRICED, "not JSON"), synthesizer=scripted(PRICED))
    await afuse(QUESTION, asked)
    panelists, judges, writers = (
        [one for stage, one in held if stage == wanted] for wanted in ("panelist", "judge", "synthesizer")
    )
    monkeypatch.undo()  # estimates hold too
    rows = estimated(asked, QUESTION).rows
    assert sorted(one.usd for one in panelists) == pytest.approx(sorted(row.worst.usd for row in rows[:2]))
    assert sorted(one.tokens for one in panelists) == sorted(
        row.worst.input_tokens + row.worst.output_tokens for row in rows[:2]
    )
    assert len(judges) == 2  # the second time with what was wrong
    assert 0 < sum(one.usd for one in judges) <= rows[2].worst.usd
    assert 0 < sum(one.usd for one in writers) <= rows[3].worst.usd


# Strategies and searches ---------------------------------------------------------------------------------------------

CASCADE = [1.0, 1.0, ESCALATION, ESCALATION]


@pytest.mark.parametrize(
    ("fields", "asked", "judged", "written"),
    [
        ({}, [1, 1, 1, 1], 1, 1),
        ({"strategy": "auto"}, [1, 1, 1, 1], 1, 1),
        ({"strategy": "cascade"}, CASCADE, 1 + ESCALATION, 1),
        ({"strategy": "chain"}, [ESCALATION**n for n in range(4)], sum(ESCALATION**n for n in range(4)), ESCALATION),
        ({"follow_up": True}, [1.75] * 4, 2, 1),
        (
            {"strategy": "cascade", "follow_up": True},
            [one + 0.75 * ESCALATION for one in CASCADE],
            1 + 2 * ESCALATION,
            1,
        ),
    ],
    ids=["panel", "auto", "cascade", "chain", "follow-up", "cascade with follow-up"],
)
def test_each_is_expected_as_often_as_the_strategy_asks_it(fields, asked, judged, written):
    settings = config(*[PRICED] * 4, **fields)
    odds = strategy_named(settings.strategy).expected_calls(settings)
    assert [one.expected for one in odds.seats] == pytest.approx(asked)
    assert (odds.judge.expected, odds.synthesizer.expected) == pytest.approx((judged, written))
    assert all(one.expected <= one.maximum for one in (*odds.seats, odds.judge, odds.synthesizer))


@pytest.mark.parametrize("strategy", ["panel", "solo", "cascade", "chain", "auto"])
@pytest.mark.parametrize("seats", [1, 2, 3, 5])
def test_the_first_wave_is_certain_and_every_other_seat_is_not(strategy, seats):
    settings = config(*[CHEAP, PRICED, PRICED, CHEAP, PRICED][:seats], strategy=strategy)
    odds = strategy_named(strategy).expected_calls(settings)
    first, *later = strategy_named(strategy).waves(settings)
    assert [seat for seat, one in enumerate(odds.seats) if one.expected == 1] == first
    assert odds.judge.maximum == (len(later) + 1 if seats > 1 and strategy != "solo" else 0)


@pytest.mark.parametrize("follow_up", [False, True])
@pytest.mark.parametrize("strategy", ["panel", "cascade", "chain", "auto"])
def test_at_worst_every_wave_is_asked(strategy, follow_up):
    plain, bill = (
        estimated(config(PRICED, CHEAP, PRICED, **fields), QUESTION)
        for fields in ({}, {"strategy": strategy, "follow_up": follow_up})
    )
    for before, after in zip(plain.rows, bill.rows, strict=True):
        assert before.worst.usd <= after.worst.usd
        assert after.expected.usd <= after.worst.usd
    if strategy in ("cascade", "chain") and not follow_up:
        assert bill.expected.usd < plain.expected.usd


def test_searches_are_a_row_a_provider_that_charges_for_them():
    search = {"providers": ["tavily", "duckduckgo", "exa", "brave"]}
    rows = estimated(FusionConfig(panel=(PRICED, CHEAP), search=search, max_tool_calls=5, bash="off"), QUESTION).rows
    fees = {row.model: (row.expected.usd, row.worst.usd) for row in rows if row.model.startswith("search:")}
    assert fees == {
        "search:tavily": pytest.approx((2 * 3 * 0.008, 2 * 6 * 0.008)),
        "search:exa": pytest.approx((0.0, 2 * 6 * 0.007)),
        "search:brave": pytest.approx((0.0, 2 * 6 * 0.005)),
    }


def test_fees_are_in_the_sum_and_not_in_the_comparison_with_one_model():
    free, paid = (
        estimated(FusionConfig(panel=(PRICED,), search={"providers": [name]}, bash="off"), QUESTION, versus=[PRICED])
        for name in ("duckduckgo", "tavily")
    )
    assert paid.expected.usd == pytest.approx(free.expected.usd + 2 * 0.008)
    assert paid.worst.usd == pytest.approx(free.worst.usd + 5 * 0.008)
    assert paid.versus == free.versus


@pytest.mark.parametrize(
    ("limits", "late"), [({}, False), ({"seconds": 30}, True), ({"seconds": 3600}, False)], ids=str
)
def test_how_long_it_takes_on_this_machine_and_whether_the_deadline_will_do(monkeypatch, limits, late):
    monkeypatch.setattr("fusion_tool.graph.duration.known_speed", lambda _panelist: Speed(prompt=60, answer=12))
    bill = estimated(config(FREE, FREE, limits=limits), QUESTION)
    assert 60 < bill.seconds < 240
    assert bool(bill.late) is late


def test_how_long_providers_take_nobody_knows():
    bill = estimated(config(PRICED, limits={"seconds": 1}), QUESTION)
    assert (bill.seconds, bill.late) == (None, None)


AT_HOME = Panelist(model="mine", base_url="http://127.0.0.1:8000/v1")
ABLE, UNABLE = Abilities(calls_tools=True, cites=True), Abilities(calls_tools=False, cites=True)


def first_uses(bill):
    return [row for row in bill.rows if row.stage == "trial"]


@pytest.mark.parametrize(
    ("panel", "abilities", "tried"),
    [
        ((AT_HOME,), None, ["mine"]),
        ((AT_HOME, AT_HOME.model_copy(update={"seat": "again"})), None, ["mine"]),
        ((AT_HOME,), UNABLE, []),
        ((AT_HOME.model_copy(update={"max_input_tokens": 2048}),), None, []),
        ((PRICED,), None, []),
    ],
    ids=["untried", "once for two seats", "tried already", "a small window", "a vendor's"],
)
def test_the_trial_of_a_first_use_is_a_row(monkeypatch, panel, abilities, tried):
    monkeypatch.setattr("fusion_tool.graph.estimate_rows.known_abilities", lambda _panelist: abilities)
    bill = estimated(config(*panel), QUESTION)
    rows = first_uses(bill)
    assert [row.model for row in rows] == tried
    for row in rows:
        assert 1000 < row.expected.input_tokens <= row.worst.input_tokens
        assert row.expected.output_tokens <= row.worst.output_tokens


def test_a_second_try_of_a_spoiled_answer_is_in_the_worst_case_of_ones_own_servers_alone():
    def calls(panelist):
        row = estimated(config(panelist, strategy="solo"), QUESTION).rows[0]
        return row.worst.output_tokens

    assert calls(AT_HOME) == 2 * calls(Panelist(model=PRICED))


@pytest.mark.parametrize(("calls", "turns"), [(0, 0), (1, 1), (4, 2), (10, 2)])
def test_a_seat_that_looks_for_itself_takes_the_time_of_its_tool_turns(monkeypatch, calls, turns):
    monkeypatch.setattr("fusion_tool.graph.duration.known_speed", lambda _panelist: Speed(prompt=60, answer=12))

    def seconds(abilities):
        monkeypatch.setattr("fusion_tool.graph.duration.known_abilities", lambda _panelist: abilities)
        return estimated(config(AT_HOME, strategy="solo", max_tool_calls=calls, search={}), QUESTION).seconds

    longer = seconds(ABLE) - seconds(UNABLE)
    assert longer == pytest.approx(max(turns - 1, 0) * 2400 / 60 + turns * 60 / 12)
