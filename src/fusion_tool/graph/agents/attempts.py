"""One loop over a role's models: each in its turn, until one gives a whole reply; and who of them failed, and why."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from fusion_tool.config.keys import scrub
from fusion_tool.config.schema import Panelist
from fusion_tool.graph.limits import share_of_deadline
from fusion_tool.graph.result import FailedModel
from fusion_tool.graph.runtime import Stage
from fusion_tool.graph.state import Failure, SeatRecord, StageRecord
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.capabilities import InvalidReplyError
from fusion_tool.models.faults import Fault, to_fault
from fusion_tool.models.health import HealthTracker, by_availability
from fusion_tool.models.providers import with_model
from fusion_tool.models.turns import server_turn

if TYPE_CHECKING:
    from fusion_tool.budget.usage import StageName

ReplyT = TypeVar("ReplyT")

CUT_OFF = Fault("truncated", "cut off: at a token limit, or by its provider")
"""Why a reply that is kept, as a part, is no whole one."""
_PRODUCTS = {"judge": "analysis", "verifier": "verdicts"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """One model's turn.

    Args:
        panelist: The model, with the settings of its role.
        deadline: When it must be done, on `time.monotonic`'s clock.
        number: 1 for the first model that is tried.
    """

    panelist: Panelist
    deadline: float
    number: int


def models_of_role(owner: Panelist) -> list[Panelist]:
    """Return the models of a role in the order of its configuration: its own, then its fallbacks."""
    return [with_model(owner, name) for name in (owner.model, *owner.fallbacks)]


async def first_whole_reply(  # noqa: PLR0913 - who is asked, until when, and who hears of failures
    candidates: Sequence[Panelist],
    ask: Callable[[Attempt], Awaitable[ReplyT]],
    *,
    run_id: str,
    health: HealthTracker | None,
    deadline: float,
    most_seconds: float | None = None,
    on_failure: Callable[[Attempt, Exception], None],
    is_whole: Callable[[ReplyT], bool] = lambda _: True,
    shares: int | None = None,
) -> ReplyT | None:
    """Ask one model after the other, those that keep failing last, until one gives a whole reply.

    Args:
        candidates: The role's models, the preferred one first.
        ask: Asks one of them; any exception of it is a failure of that model alone.
        run_id: Whose turn it is at a server that works for one after the other.
        health: How models fare; `None` keeps their order.
        deadline: When the last one must be done, on `time.monotonic`'s clock.
        most_seconds: How long all of them may work, the wait for the first turn apart; `None` sets no limit.
        on_failure: Takes each failure at once, so that it is known even if the loop is cancelled; what it raises
            ends the loop.
        is_whole: Whether a reply ends the loop; one that does not, being cut off, is kept.
        shares: Among how many models the time is divided; `None`: all candidates.

    Returns:
        The first whole reply; else the first that was cut off; `None` without any.
    """
    cut_off: ReplyT | None = None
    tried = 0
    # Read one by one: a model that is due for a trial has it only where its turn comes.
    for panelist in by_availability(candidates, health):
        left = (len(candidates) if shares is None else shares) - tried
        tried += 1
        attempt = Attempt(panelist, share_of_deadline(deadline, left), tried)
        try:
            async with server_turn(panelist, run_id, seconds=attempt.deadline - time.monotonic()):
                # The clock begins here: a seat must not lose to another one's work what it has for its own.
                if most_seconds is not None and tried == 1:
                    deadline = min(deadline, time.monotonic() + most_seconds)
                attempt = replace(attempt, deadline=share_of_deadline(deadline, left))
                reply = await ask(attempt)
        except Exception as error:  # noqa: BLE001 - what is paid for already must survive any model and any tool
            on_failure(attempt, error)
            continue
        if is_whole(reply):
            return reply
        # The first of them: the models stand in the order of preference, and no part tells that it is the better one.
        cut_off = reply if cut_off is None else cut_off
    return cut_off


@dataclass(frozen=True)
class StageReply(Generic[ReplyT]):
    """What the judge's or the synthesizer's models came to.

    Args:
        reply: The first whole reply, else one that was cut off; `None` without any.
        model: Whose it is; `None` without any.
        failures: Those of the models before, and of a model that was cut off.
    """

    reply: ReplyT | None
    model: str | None
    failures: list[Failure]

    def stands_in_for(self, owner: Panelist) -> bool:
        """Tell whether a model stands in for `owner`, the stage's own: it failed, or keeps failing."""
        return self.model is not None and self.model != owner.model_name


async def ask_stage(
    stage: Stage,
    candidates: Sequence[Panelist],
    ask: Callable[[Attempt], Awaitable[ReplyT]],
    *,
    is_whole: Callable[[ReplyT], bool],
    shares: int | None = None,
) -> StageReply[ReplyT]:
    """Ask the models of a stage, as `first_whole_reply` does, and record who failed.

    Args:
        stage: The judge's or the synthesizer's stage.
        candidates: As for `first_whole_reply`, and so are `ask`, `is_whole` and `shares`.
        ask: Asks one of them.
        is_whole: Whether a reply ends the loop.
        shares: Among how many models the time is divided; `None`: all candidates.
    """
    failures = stage.failures

    def note_failure(attempt: Attempt, why: Fault | Exception) -> None:
        failures.append(failure := to_failure(attempt.panelist.model_name, why))
        product = _PRODUCTS.get(stage.name, "answer")
        _log.warning("the %s %s gave no %s: %s", stage.name, failure["model"], product, failure["message"])

    async def ask_one(attempt: Attempt) -> tuple[ReplyT, str]:
        reply = await ask(attempt)
        if not is_whole(reply):
            note_failure(attempt, CUT_OFF)
        return reply, attempt.panelist.model_name

    # Each reply with its model: who answered is told beside what was answered.
    reply_and_model = await first_whole_reply(
        candidates,
        ask_one,
        run_id=stage.events.run_id,
        health=stage.health,
        deadline=stage.deadline,
        on_failure=note_failure,
        is_whole=lambda pair: is_whole(pair[0]),
        shares=shares,
    )
    reply, model = reply_and_model or (None, None)
    return StageReply(reply, model, failures)


def failed_models(
    records: Iterable[SeatRecord],
    judgement: StageRecord | None,
    synthesis: StageRecord | None = None,
    verification: StageRecord | None = None,
) -> list[FailedModel]:
    """Return a row for each model that gave no usable, or no whole, reply: the seats' first, then stage by stage."""
    rows = [FailedModel(seat=record["seat"], **failure) for record in records for failure in record["failures"]]
    stages: list[tuple[StageName, StageRecord | None]] = [
        ("judge", judgement),
        ("synthesizer", synthesis),
        ("verifier", verification),
    ]
    # Records that an older version stored have no failures of their stages.
    return rows + [
        FailedModel(stage=name, seat=name, **failure)
        for name, record in stages
        if record
        for failure in record.get("failures", [])
    ]


def to_failure(model: str, why: Fault | Exception) -> Failure:
    """Return the row of a model that gave no usable, or no whole, reply; a call's error may name another one."""
    match why:
        case Fault():
            fault = why
        case ModelCallError():
            fault, model = why.fault, why.model or model
        case InvalidReplyError():
            fault = Fault(why.reason, scrub(str(why)))
        case _:
            fault = to_fault(why)
    return Failure(model=model, reason=fault.reason, message=fault.message, status_code=fault.status_code)
