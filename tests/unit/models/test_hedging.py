"""Two calls side by side: who begins first answers, who fails leaves it to the other, and how often that may be."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models import health, hedging, streaming
from fusion_tool.models.call import ModelCallError, ModelReply
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedging import HedgeAllowance, allowance_for, hedged_call
from fusion_tool.models.streaming import record_first_token

SLOW = Panelist(model="ollama:slow", fallbacks=("ollama:spare", "ollama:other"))
GONE = Fault("model_unavailable", "gone", 404)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Nothing but how quickly the slow model usually begins: at once."""
    monkeypatch.setattr(streaming, "_observations", {})
    allowance_for.cache_clear()
    for _ in range(10):
        record_first_token(SLOW, 0.0)


class Models:
    """Models that begin, answer and fail when a test says so; `log` is what became of their calls."""

    def __init__(self):
        self.log, self._signals, self._moves = [], {}, asyncio.Event()

    async def __call__(self, one, on_first):
        name = one.served_name
        self.log.append(f"{name} asked")
        self._moves.set()
        self._signals[name] = signals = asyncio.Queue()
        try:
            while True:
                match await signals.get():
                    case "begin":
                        on_first()
                    case "end":
                        self.log.append(f"{name} answered")
                        return ModelReply(f"by {name}", AIMessage(""), truncated=False, panelist=one)
                    case Exception() as error:
                        self.log.append(f"{name} failed")
                        raise error
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled")
            raise
        finally:
            self._moves.set()

    def tell(self, name, *signals):
        for signal in signals:
            self._signals[name].put_nowait(signal)

    async def until(self, *log):
        while not set(log) <= set(self.log):
            self._moves.clear()
            async with asyncio.timeout(5):
                await self._moves.wait()


@pytest.fixture
def models():
    return Models()


def begin(models, one=SLOW, **options):
    return asyncio.ensure_future(hedged_call(models, one, **({"share": 1.0} | options)))


def failed(reason="upstream_error"):
    return ModelCallError(Fault(reason, reason))


async def test_whoever_begins_first_answers_and_the_other_is_cut_there_and_then(models):
    call = begin(models)
    await models.until("slow asked", "spare asked")
    models.tell("spare", "begin")
    await models.until("slow cancelled")
    models.tell("spare", "end")
    reply = await call
    assert (reply.text, reply.panelist.model) == ("by spare", "ollama:spare")
    assert models.log == ["slow asked", "spare asked", "slow cancelled", "spare answered"]


async def test_the_first_model_may_still_be_the_first(models):
    call = begin(models)
    await models.until("spare asked")
    models.tell("slow", "begin")
    await models.until("spare cancelled")
    models.tell("slow", "end")
    assert (await call).panelist is SLOW
    assert models.log == ["slow asked", "spare asked", "spare cancelled", "slow answered"]


async def test_an_answer_without_a_first_token_is_one_too(models):
    call = begin(models)
    await models.until("spare asked")
    models.tell("spare", "end")
    assert (await call).text == "by spare"
    assert models.log[-1] == "slow cancelled"


@pytest.mark.parametrize(("first", "second"), [("slow", "spare"), ("spare", "slow")])
async def test_a_call_that_fails_leaves_it_to_the_other(models, first, second):
    call = begin(models)
    await models.until("spare asked")
    models.tell(first, failed())
    await models.until(f"{first} failed")
    models.tell(second, "begin", "end")
    assert (await call).text == f"by {second}"
    assert "cancelled" not in str(models.log)


@pytest.mark.parametrize("order", [("slow", "spare"), ("spare", "slow")])
async def test_where_both_fail_it_is_the_panelists_own_failure(models, order):
    call = begin(models)
    await models.until("spare asked")
    for name in order:
        models.tell(name, failed("auth" if name == "slow" else "refused"))
    with pytest.raises(ModelCallError) as raised:
        await call
    assert raised.value.fault.reason == "auth"


async def test_whoever_has_begun_and_breaks_off_has_failed(models):
    call = begin(models)
    await models.until("spare asked")
    models.tell("spare", "begin", failed("upstream_error"))
    with pytest.raises(ModelCallError) as raised:
        await call
    assert raised.value.fault.reason == "upstream_error"
    assert sorted(models.log[2:]) == ["slow cancelled", "spare failed"]


async def test_a_failure_before_the_threshold_is_the_ladders_business(models):
    for _ in range(50):
        record_first_token(SLOW, 60.0)
    call = begin(models)
    await models.until("slow asked")
    models.tell("slow", failed())
    with pytest.raises(ModelCallError):
        await call
    assert models.log == ["slow asked", "slow failed"]


@pytest.mark.parametrize("begun", [False, True])
async def test_cancelled_both_are_cancelled(models, begun):
    call = begin(models)
    await models.until("spare asked")
    if begun:
        models.tell("spare", "begin")
        await models.until("slow cancelled")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert sorted(models.log[2:]) == ["slow cancelled", "spare cancelled"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


ALONE = [
    pytest.param(SLOW, {"share": None}, id="off"),
    pytest.param(Panelist(model="ollama:slow"), {}, id="no fallback"),
]


@pytest.mark.parametrize(("one", "options"), ALONE)
async def test_without_hedging_nobody_listens_for_a_first_token(one, options):
    async def asking(panelist, on_first):
        assert on_first is None
        return ModelReply("alone", AIMessage(""), truncated=False, panelist=panelist)

    assert (await hedged_call(asking, one, **({"share": 1.0} | options))).text == "alone"


async def not_hedged(models, one=SLOW, **options):
    """The log of a call whose model is silent and, after a while, answers."""
    call = begin(models, one, **options)
    await models.until("slow asked")
    for _ in range(20):  # an extra call would begin within a few turns
        await asyncio.sleep(0)
    models.tell("slow", "begin", "end")
    assert (await call).text == "by slow"
    return models.log


async def test_nothing_is_hedged_before_enough_is_known(models, monkeypatch):
    monkeypatch.setattr(streaming, "_observations", {})
    assert await not_hedged(models) == ["slow asked", "slow answered"]


async def test_nothing_is_hedged_beyond_the_share(models):
    assert await not_hedged(models, share=0.5) == ["slow asked", "slow answered"]
    call = begin(models, share=0.5)
    await models.until("spare asked")
    models.tell("spare", "end")
    assert (await call).text == "by spare"


async def test_a_withdrawn_fallback_is_passed_over(models, monkeypatch):
    monkeypatch.setattr(health, "_withdrawn", {})
    monkeypatch.setenv("OLLAMA_HOST", "https://models.example.com")  # on this machine it would not be remembered
    for _ in range(10):
        record_first_token(SLOW, 0.0)
    health.remember_withdrawn(Panelist(model="ollama:spare"), GONE)
    call = begin(models)
    await models.until("other asked")
    models.tell("other", "end")
    assert (await call).text == "by other"


async def test_a_fallback_that_cannot_be_made_does_no_harm(models, monkeypatch):
    async def none(_):
        raise ConfigError("no such model")

    monkeypatch.setattr(hedging, "chat_model", none)
    assert await not_hedged(models) == ["slow asked", "slow answered"]


@pytest.mark.parametrize(
    ("profile", "tools", "asked"),
    [
        ({"tool_calling": False}, True, False),
        ({"tool_calling": False}, False, True),
        ({"tool_calling": True}, True, True),
        ({"tool_calling": True, "max_input_tokens": 2048}, False, False),
    ],
)
async def test_the_fallback_must_be_able_to_do_the_work(models, monkeypatch, profile, tools, asked):
    class Model:
        def __init__(self):
            self.profile = profile

    async def made(_):
        return Model()

    monkeypatch.setattr(hedging, "chat_model", made)
    assert ("spare asked" in await not_hedged(models, tools=tools)) is asked


def test_configurations_with_one_share_share_one_allowance():
    assert allowance_for(0.1) is allowance_for(0.1)
    assert allowance_for(0.1) is not allowance_for(0.2)


STEPS = st.lists(st.sampled_from(["call", "end", "extra"]), max_size=400)


@given(st.floats(min_value=0.01, max_value=1), STEPS, st.integers(min_value=0, max_value=300))
def test_extra_calls_never_pass_their_share(share, steps, quiet):
    """Over all calls; and after a quiet time no more than ten beyond it."""
    budget, under_way, made, extra = HedgeAllowance(share), [], 0, 0
    for _ in range(quiet):
        with budget.call():
            made += 1
    saved, before = min(quiet * share, 10), made
    for step in steps:
        if step == "call":
            under_way.append(budget.call())
            take = under_way[-1].__enter__()
            made += 1
        elif under_way and step == "end":
            under_way.pop().__exit__(None, None, None)
        elif under_way:
            extra += take()
        assert extra <= made * share + 1e-6
        assert extra <= saved + (made - before) * share + 1e-6


@pytest.mark.parametrize("calls", [10, 300])
def test_calls_at_once_get_their_share_at_once(calls):
    budget = HedgeAllowance(0.1)
    open_calls = [budget.call() for _ in range(calls)]
    takes = [call.__enter__() for call in open_calls]
    assert sum(take() for take in takes) in (calls // 10 - 1, calls // 10)  # ten times 0.1 is a little less than 1
    for call in open_calls:
        call.__exit__(None, None, None)
