"""The loop over a role's models: who is tried, for how long, which reply stands, and who hears of failures."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.attempts import first_whole_reply, models_of_role, to_failure
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.capabilities import InvalidReplyError
from fusion_tool.models.faults import Fault
from fusion_tool.models.health import TRACKER
from fusion_tool.models.turns import server_turn
from tests.unit.outcomes import outcome

A, B, C = (Panelist(model=f"openrouter:v/{name}") for name in "abc")
NOW, DEADLINE = 100.0, 200.0


@dataclass(frozen=True)
class Reply:
    text: str
    whole: bool = True


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("fusion_tool.graph.limits.time", SimpleNamespace(monotonic=lambda: NOW))


class Role:
    """A role whose models reply, or fail, by a script."""

    def __init__(self, **script):
        self.script = {Panelist(model=f"openrouter:v/{name}").model: reply for name, reply in script.items()}
        self.attempts, self.failures = [], []

    async def ask(self, attempt):
        self.attempts.append(attempt)
        reply = self.script[attempt.panelist.model]
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def run(self, candidates=(A, B, C), **options):
        return await first_whole_reply(
            candidates,
            self.ask,
            **{
                "run_id": "run",
                "health": None,
                "deadline": DEADLINE,
                "on_failure": lambda attempt, error: self.failures.append((attempt.panelist, str(error))),
                "is_whole": lambda reply: reply.whole,
            }
            | options,
        )


ERROR, CUT, OTHER_CUT, WHOLE = (
    RuntimeError("down"),
    Reply("cut", whole=False),
    Reply("cut too", whole=False),
    Reply("whole"),
)


@pytest.mark.parametrize(
    ("script", "reply", "tried", "failed"),
    [
        ({"a": WHOLE, "b": ERROR, "c": ERROR}, WHOLE, [A], []),
        ({"a": ERROR, "b": WHOLE, "c": ERROR}, WHOLE, [A, B], [A]),
        ({"a": CUT, "b": WHOLE, "c": ERROR}, WHOLE, [A, B], []),
        ({"a": CUT, "b": OTHER_CUT, "c": ERROR}, CUT, [A, B, C], [C]),
        ({"a": ERROR, "b": CUT, "c": OTHER_CUT}, CUT, [A, B, C], [A]),
        ({"a": ERROR, "b": ERROR, "c": ERROR}, None, [A, B, C], [A, B, C]),
    ],
)
async def test_the_first_whole_reply_stands_else_the_first_cut_off_one(script, reply, tried, failed):
    role = Role(**script)
    assert await role.run() is reply
    assert [attempt.panelist for attempt in role.attempts] == tried
    assert [attempt.number for attempt in role.attempts] == list(range(1, len(tried) + 1))
    assert role.failures == [(panelist, "down") for panelist in failed]


async def test_every_reply_is_whole_where_nobody_says_otherwise():
    role = Role(a=CUT, b=WHOLE)
    options = {"run_id": "run", "health": None, "deadline": DEADLINE, "on_failure": pytest.fail}
    assert await first_whole_reply([A, B], role.ask, **options) is CUT


@pytest.mark.parametrize(
    ("shares", "deadlines"),
    [
        (None, [170.0, 170.0, 200.0]),
        (1, [200.0, 200.0, 200.0]),  # those beyond the shares get what time is left
        (2, [170.0, 200.0, 200.0]),
    ],
)
async def test_each_leaves_time_for_those_after_it(shares, deadlines):
    role = Role(a=ERROR, b=ERROR, c=ERROR)
    await role.run(shares=shares)
    assert [attempt.deadline for attempt in role.attempts] == deadlines


async def test_a_seats_own_time_begins_with_its_turn_at_a_server_that_works_for_one(monkeypatch):
    now = SimpleNamespace(monotonic=lambda: now.time, time=NOW)
    monkeypatch.setattr("fusion_tool.graph.limits.time", now)
    monkeypatch.setattr("fusion_tool.graph.agents.attempts.time", now)
    seat, deadlines = Panelist(model="local:qwen"), []

    async def ask(attempt):
        deadlines.append(attempt.deadline)
        return WHOLE

    async with server_turn(seat, "another run", seconds=60):
        options = {"run_id": "run", "health": None, "deadline": DEADLINE, "on_failure": pytest.fail}
        waiting = asyncio.create_task(first_whole_reply([seat], ask, most_seconds=10, **options))
        await asyncio.sleep(0)
        now.time += 50
        assert deadlines == []
    assert await waiting is WHOLE
    assert deadlines == [NOW + 50 + 10]


@pytest.mark.parametrize(("health", "tried"), [(TRACKER, [B, A]), (None, [A])])
async def test_a_model_that_keeps_failing_is_tried_last(health, tried):
    for _ in range(3):
        TRACKER.record(outcome(A.model, "rate_limited"))
    role = Role(a=WHOLE, b=ERROR)
    assert await role.run((A, B), health=health) is WHOLE
    assert [attempt.panelist for attempt in role.attempts] == tried


async def test_what_the_failures_reader_raises_ends_the_loop():
    def stop(attempt, error):
        raise LookupError(f"{attempt.panelist.model_name}: {error}")

    role = Role(a=ERROR, b=WHOLE)
    with pytest.raises(LookupError, match="down"):
        await role.run(on_failure=stop)
    assert [attempt.panelist for attempt in role.attempts] == [A]


async def test_a_cancelled_role_asks_nobody_else():
    role = Role(a=asyncio.CancelledError(), b=WHOLE)
    with pytest.raises(asyncio.CancelledError):
        await role.run()
    assert (len(role.attempts), role.failures) == (1, [])


async def test_no_models_give_no_reply():
    assert await Role().run(()) is None


@pytest.mark.parametrize(
    ("why", "failure"),
    [
        (Fault("truncated", "cut off"), ("m", "truncated", "cut off", None)),
        (ModelCallError(Fault("auth", "no key", status_code=401)), ("m", "auth", "no key", 401)),
        (ModelCallError(Fault("timeout", "too slow"), "the fallback"), ("the fallback", "timeout", "too slow", None)),
        (InvalidReplyError("no JSON object"), ("m", "invalid_output", "no JSON object", None)),
    ],
)
def test_a_failure_names_its_model_and_reason(why, failure):
    assert tuple(to_failure("m", why).values()) == failure


def test_an_error_of_no_known_kind_is_a_failure_too():
    assert to_failure("m", RuntimeError("down"))["reason"] == "upstream_error"


def test_a_role_has_its_own_model_first_and_its_settings_throughout():
    owner = Panelist(model="openrouter:v/a", fallbacks=("openrouter:v/b",), max_tokens=500)
    models = models_of_role(owner)
    assert [panelist.model for panelist in models] == ["openrouter:v/a", "openrouter:v/b"]
    assert {panelist.max_tokens for panelist in models} == {500}
