"""One loop over a role's models: each in its turn, until one gives a whole reply."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.limits import share_of_deadline
from fusion_tool.models.health import HealthTracker, by_availability
from fusion_tool.models.providers import with_model

ReplyT = TypeVar("ReplyT")


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
    health: HealthTracker | None,
    deadline: float,
    on_failure: Callable[[Attempt, Exception], None],
    is_whole: Callable[[ReplyT], bool] = lambda _: True,
    shares: int | None = None,
) -> ReplyT | None:
    """Ask one model after the other, those that keep failing last, until one gives a whole reply.

    Args:
        candidates: The role's models, the preferred one first.
        ask: Asks one of them; any exception of it is a failure of that model alone.
        health: How models fare; `None` keeps their order.
        deadline: When the last one must be done, on `time.monotonic`'s clock.
        on_failure: Takes each failure at once, so that it is known even if the loop is cancelled; what it raises
            ends the loop.
        is_whole: Whether a reply ends the loop; one that does not, being cut off, is kept.
        shares: Among how many models the time is divided; `None`: all candidates.

    Returns:
        The first whole reply; else the first that was cut off; `None` without any.
    """
    kept: ReplyT | None = None
    # Read one by one: a model that is due for a trial has it only where its turn comes.
    for tried, panelist in enumerate(by_availability(candidates, health)):
        left = (len(candidates) if shares is None else shares) - tried
        attempt = Attempt(panelist, share_of_deadline(deadline, left), tried + 1)
        try:
            reply = await ask(attempt)
        except Exception as error:  # noqa: BLE001 - what is paid for already must survive any model and any tool
            on_failure(attempt, error)
            continue
        if is_whole(reply):
            return reply
        kept = reply if kept is None else kept
    return kept
