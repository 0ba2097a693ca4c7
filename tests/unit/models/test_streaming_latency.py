"""How long models are silent before they begin: over their latest calls, each at its own endpoint."""

import random
from collections import deque
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.schema import Panelist
from fusion_tool.models import streaming
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.streaming import first_token_p90, record_first_token, record_silence
from tests.scripted_server import Hang, Reply, ToolCall, faults
from tests.unit.models.models import account, asked, panelist

ONE = Panelist(model="openai:m", base_url="http://one/v1")
SILENCES = st.floats(min_value=0, max_value=1e4)


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch):
    monkeypatch.setattr(streaming, "_observations", {})


def seen(one):
    """What is known of a model, as a list."""
    return list(streaming._observations.get(streaming._key(one), ()))


def test_a_tail_is_told_from_ten_calls_on():
    for n in range(9):
        record_first_token(ONE, n)
        assert first_token_p90(ONE) is None
    record_first_token(ONE, 9)
    assert 8 <= first_token_p90(ONE) <= 9


def test_only_the_latest_calls_count():
    for seconds in [100.0] * 50 + [1.0] * 50:
        record_first_token(ONE, seconds)
    assert first_token_p90(ONE) == 1.0


@pytest.mark.parametrize("other", [{"model": "openai:other"}, {"base_url": "http://two/v1"}])
def test_each_model_at_each_endpoint_has_its_own(other):
    for _ in range(10):
        record_first_token(ONE, 1.0)
    assert first_token_p90(ONE.model_copy(update=other)) is None
    assert first_token_p90(ONE.model_copy(update={"seat": "b", "temperature": 1.0})) == 1.0


@given(st.lists(SILENCES, min_size=10, max_size=120), SILENCES)
def test_a_silence_that_was_cut_counts_only_where_it_was_long(known, cut):
    streaming._observations.clear()
    for seconds in known:
        record_first_token(ONE, seconds)
    before, tail = seen(ONE), first_token_p90(ONE)
    assert min(known[-50:]) - 1e-6 <= tail <= max(known[-50:]) + 1e-6
    record_silence(ONE, cut)
    assert seen(ONE) == (before if cut < tail else [*deque(before, maxlen=49), cut][-50:])


def test_nothing_is_learned_of_a_model_from_cut_calls_alone():
    record_silence(ONE, 60.0)
    assert seen(ONE) == []


def test_cutting_the_slow_calls_does_not_make_the_tail_look_short():
    """Each call is cut as a hedge would: when it is beyond the tail, and another one has begun."""
    rng = random.Random(7)  # noqa: S311 - no secret
    drawn = [rng.lognormvariate(0, 0.8) for _ in range(4000)]
    told = []
    for seconds in drawn:
        tail = first_token_p90(ONE)
        told.append(tail or 0.0)
        cut = None if tail is None else tail + rng.lognormvariate(0, 0.8)
        if cut is not None and cut < seconds:
            record_silence(ONE, cut)
        else:
            record_first_token(ONE, seconds)
    beyond = sum(seconds > tail for seconds, tail in zip(drawn[100:], told[100:], strict=True)) / len(drawn[100:])
    assert 0.09 < beyond < 0.12
    assert sum(told[100:]) / len(told[100:]) == pytest.approx(quantiles(drawn, n=10)[-1], rel=0.15)


WRITTEN = [
    pytest.param(Reply("In 1861."), id="text"),
    pytest.param(Reply("In 1861.", reasoning="They ask for a year."), id="reasoning"),
    pytest.param(Reply(tool_calls=[ToolCall("search", {"q": "mill"})]), id="a tool call"),
]


@pytest.mark.loopback
@pytest.mark.parametrize("reply", WRITTEN)
async def test_a_streamed_call_tells_its_first_token(scripted, reply):
    scripted.otherwise(reply)
    one, told = panelist(scripted), []
    search = {"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {}}}}
    answer = await asked(one, bound={"tools": [search]}, on_first=lambda: told.append(True))
    assert told == [True]
    assert [answer.first_token] == seen(one)
    assert 0 < answer.first_token < 5


@pytest.mark.loopback
async def test_a_call_that_does_not_stream_tells_none(scripted):
    one = panelist(scripted)
    assert (await asked(one)).first_token is None
    assert (scripted.requests[-1].stream, seen(one)) == (False, [])


@pytest.mark.loopback
async def test_whoever_listens_to_the_text_measures_too(scripted):
    one = panelist(scripted)
    answer = await asked(one, on_delta=lambda _: None)
    assert [answer.first_token] == seen(one)


@pytest.mark.loopback
async def test_the_bare_role_is_no_token(scripted):
    """Servers send it as soon as they have taken the call."""
    scripted.otherwise(Hang(Reply("In 1861."), after=1))
    one, told = panelist(scripted), []
    with pytest.raises(ModelCallError):
        await asked(one, seconds=0.2, on_first=lambda: told.append(True))
    assert (told, seen(one)) == ([], [])


@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
async def test_the_wait_is_that_of_the_attempt_that_was_answered(scripted):
    scripted.otherwise(faults.rate_limited(), faults.overloaded(), "In 1861.")
    one = panelist(scripted)
    answer = await asked(one, on_first=lambda: None)
    assert (answer.text, seen(one)) == ("In 1861.", [answer.first_token])


@pytest.mark.loopback
async def test_an_error_is_no_first_token(scripted):
    scripted.otherwise(faults.unauthorized())
    one = panelist(scripted)
    with pytest.raises(ModelCallError):
        await asked(one, on_first=lambda: None)
    assert seen(one) == []


@pytest.mark.loopback
async def test_a_call_whose_time_is_over_was_silent_for_that_long(scripted):
    scripted.otherwise(Hang())
    one = panelist(scripted)
    for _ in range(10):
        record_first_token(one, 0.01)
    with pytest.raises(ModelCallError) as failed:
        await asked(one, seconds=0.2, on=account(one), on_first=lambda: None)
    assert failed.value.fault.reason == "timeout"
    assert seen(one)[-1] >= 0.1
