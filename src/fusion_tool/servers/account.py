"""The account of one request: what its runs and calls spend together, whatever becomes of them, and in whose name."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_tool.api.runner import OnEvent, resume_request, run_request
from fusion_tool.budget.daily import DailyBudget, DayReservation, SqliteDailyBudget, next_day
from fusion_tool.budget.session import Session
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.config.storage import STORAGE_ERRORS
from fusion_tool.errors import BudgetExceeded
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.keys import Caller
from fusion_tool.servers.openai.errors import ApiError

if TYPE_CHECKING:  # MCP has no metrics, nor the package that they need
    from fusion_tool.servers.openai.metrics import Metrics


@dataclass
class Account:
    """The account of one request.

    Args:
        caller: Who asks.
        metrics: The server's counters; `None` where it has none.
        session: What all runs and calls of the request are part of.
    """

    caller: Caller
    metrics: "Metrics | None"
    session: Session

    async def run(
        self, request: RunInput, config: FusionConfig, on_event: OnEvent | None = None, *, kept_id: str | None = None
    ) -> dict[str, Any]:
        """Carry out a run in the caller's name, and return its result as a dict; arguments as for `run_request`.

        Raises:
            FusionError: As `afuse`.
        """
        run = run_request(request, config, on_event, owner=self.caller.owner, session=self.session, kept_id=kept_id)
        return await (self.metrics.count_run(run, self.caller.name) if self.metrics else run)

    async def resume(self, run_id: str, config: FusionConfig, on_event: OnEvent) -> dict[str, Any]:
        """Carry out what is missing of a run that was kept for the caller, as `resume_request` does.

        Args:
            run_id: The run's id.
            config: The configuration by whose limits dollars of the day are reserved, where something is missing.
            on_event: Gets every event.

        Raises:
            ApiError: As `reserve_day`.
            FusionError: As `afuse`.
        """
        return await resume_request(run_id, self.caller.owner, on_event, open_session=lambda: self._reserved(config))

    @asynccontextmanager
    async def _reserved(self, config: FusionConfig) -> AsyncIterator[Session]:
        async with self.reserve_day(config):
            yield self.session

    @asynccontextmanager
    async def reserve_day(self, config: FusionConfig, *, ledgers: int = 1) -> AsyncIterator[None]:
        """Reserve the dollars of the caller's day that the request may spend inside the context, and settle them.

        Args:
            config: The configuration of the request's runs.
            ledgers: How many times the request may spend what `config` limits.

        Raises:
            ApiError: 402, too few are left; 429, runs under way hold what is left; 503, nobody knows how many are.
        """
        if not self.caller.usd_a_day:
            yield
            return
        most = (config.limits.usd or 0) * ledgers
        reservation = await _reserve(self.caller, most)
        self.session = _session(self.caller, self.metrics, Limits(usd=reservation.usd))
        try:
            yield
        except BudgetExceeded as error:
            if error.limits == "session_limits":
                raise await _too_little_left(self.caller, most, reservation) from None
            raise
        finally:
            await _settle(reservation, self.session.spent.usd)


def open_account(caller: Caller, metrics: "Metrics | None" = None) -> Account:
    """Return the account of a new request, whose calls are counted as they end.

    Args:
        caller: Who asks.
        metrics: The server's counters; `None` where it has none.
    """
    return Account(caller, metrics, _session(caller, metrics))


def _session(caller: Caller, metrics: "Metrics | None", limits: Limits | None = None) -> Session:
    # Not from a run's result, which a run that is cancelled does not have: its calls were paid for all the same.
    count = (lambda call: metrics.count_calls(Usage.of([call]), caller.name)) if metrics else None
    return Session(limits, on_call=count)


_DAYS: DailyBudget = SqliteDailyBudget()
_LEAST_USD = 1e-9
"""Less is a rounding error of a sum."""
_log = logging.getLogger(__name__)


async def _reserve(caller: Caller, usd: float) -> DayReservation:
    reserving = asyncio.ensure_future(asyncio.to_thread(_DAYS.reserve, caller.name, usd, caller.usd_a_day or 0))
    try:
        reservation = await asyncio.shield(reserving)
    except asyncio.CancelledError:  # the thread goes on, and what it reserves would stay reserved for the whole day
        await _settle(await reserving, 0.0)
        raise
    except STORAGE_ERRORS as error:
        _log.error("'%s' is refused, its dollars a day cannot be counted: %s", caller.name, error)
        message = f"the dollars a day of '{caller.name}' cannot be counted now; ask again in some seconds"
        raise ApiError(message, status=503, code="unavailable", headers={"Retry-After": "5"}) from None
    if not reservation.usd:
        raise await _too_little_left(caller, usd, reservation)
    return reservation


async def _settle(reservation: DayReservation, usd: float) -> None:
    # The thread is not cancelled with its caller, whose loop waits for its threads when it ends.
    settling = asyncio.ensure_future(asyncio.to_thread(_DAYS.settle, reservation, usd))
    try:
        await asyncio.shield(settling)
    except STORAGE_ERRORS as error:
        text = "what '%s' spent, $%g, cannot be stored, and the $%g that were reserved stay counted: %s"
        _log.error(text, reservation.caller, usd, reservation.usd, error)


async def _too_little_left(caller: Caller, asked_usd: float, own: DayReservation) -> ApiError:
    spent, renewal = await asyncio.to_thread(_DAYS.spent, caller.name), next_day()
    # By what is spent alone: the runs that held the rest may have ended by now.
    if own.usd < min(asked_usd, (caller.usd_a_day or 0) - spent.usd) - _LEAST_USD:
        message = (
            f"what is left of the ${caller.usd_a_day:g} a day of '{caller.name}' is reserved by runs under way; "
            "ask again when one has ended"
        )
        return ApiError(message, status=429, param="usd_a_day", code="rate_limit_exceeded")
    message = (
        f"too little is left of the ${caller.usd_a_day:g} a day of '{caller.name}': ${spent.usd:.4f} are spent; they "
        f"renew at {renewal}"
    )
    # No status that clients repeat: nothing is left until the day ends.
    headers = {"x-should-retry": "false"}
    more = {"renews_at": renewal}
    return ApiError(message, status=402, param="usd_a_day", code="budget_exceeded", headers=headers, more=more)
