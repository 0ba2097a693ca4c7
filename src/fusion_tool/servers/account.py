"""The account of one request: what its runs and calls spend together, whatever becomes of them, and in whose name."""

import asyncio
import hashlib
import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_tool.api.run_store import Promise, RunBusyError, default_place
from fusion_tool.api.runner import OnEvent, resume_request, run_request
from fusion_tool.budget.session import Session
from fusion_tool.budget.shared import SharedBudget, next_day
from fusion_tool.budget.store import Amounts
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import BudgetExceeded, DatabaseUnavailable
from fusion_tool.graph.duration import run_seconds
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
        kept_id: The id under which the request's run is kept; `None` where it is kept nowhere.
        promise: The promise that its kept runs are finished, though this process dies; `None` where none is given.
    """

    caller: Caller
    metrics: "Metrics | None"
    session: Session
    kept_id: str | None = None
    promise: Promise | None = None
    _has_reserved: bool = False

    async def run(
        self, request: RunInput, config: FusionConfig, on_event: OnEvent | None = None, *, turn: str = ""
    ) -> dict[str, Any]:
        """Carry out a run in the caller's name, and return its result as a dict; arguments as for `run_request`.

        A kept one that had begun goes on, and one that is being worked on is waited for. Where the result is not there
        already, kept or cached, dollars of the caller's day are reserved.

        Args:
            request: What is asked.
            config: The run's configuration.
            on_event: Gets every event; `None` where nobody watches.
            turn: Which of its request's runs it is, where there are several; each is kept by itself.

        Raises:
            ApiError: As `reserve_day`.
            FusionError: As `afuse`.
        """
        kept_id = _id_of(self.kept_id, turn) if self.kept_id and turn else self.kept_id
        return await self._counted(self._run(request, config, on_event, kept_id))

    async def _run(
        self, request: RunInput, config: FusionConfig, on_event: OnEvent | None, kept_id: str | None
    ) -> dict[str, Any]:
        options: dict[str, Any] = {"owner": self.caller.owner, "kept_id": kept_id, "promise": self.promise}
        while True:
            try:
                return await run_request(request, config, on_event, open_session=self._reserved, **options)
            except RunBusyError:  # by another worker, or for the request whose client lost its connection
                await asyncio.sleep(_SECONDS_TO_ASK_AGAIN)

    async def resume(self, run_id: str, config: FusionConfig, on_event: OnEvent | None = None) -> dict[str, Any]:
        """Carry out what is missing of a run that was kept for the caller, as `resume_request` does.

        Args:
            run_id: The run's id.
            config: The operator's configuration, which says where runs are kept; the run has its own.
            on_event: Gets every event; `None` where nobody watches.

        Raises:
            ApiError: As `reserve_day`.
            FusionError: As `afuse`.
        """
        place = default_place(config)
        run = resume_request(run_id, self.caller.owner, on_event, place=place, open_session=self._reserved)
        return await self._counted(run)

    async def _counted(self, run: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        return await (self.metrics.count_run(run, self.caller.name) if self.metrics else run)

    def leave(self) -> None:
        """Note that the client has left, before its run is cancelled: no server is to finish it."""
        if self.promise is not None:
            self.promise.is_void = True

    @asynccontextmanager
    async def _reserved(self, config: FusionConfig) -> AsyncIterator[Session]:
        async with self.reserve_day(config):
            yield self.session

    @asynccontextmanager
    async def reserve_day(self, config: FusionConfig, *, ledgers: int = 1) -> AsyncIterator[None]:
        """Reserve the dollars of the caller's day that the request may spend inside the context, and settle them.

        Inside of another one nothing more is reserved.

        Args:
            config: The configuration of the request's runs.
            ledgers: How many times the request may spend what `config` limits.

        Raises:
            ApiError: 402, too few are left; 429, runs under way hold what is left; 503, nobody knows how many are.
        """
        usd_a_day = self.caller.usd_a_day
        if usd_a_day is None or self._has_reserved:
            yield
            return
        day = SharedBudget.of_day(f"key {self.caller.name}", usd_a_day, config)
        wanted = Amounts(usd=(config.limits.usd or 0) * ledgers)
        lease_seconds = run_seconds(config) * ledgers
        opening = day.open(wanted, lease_seconds=lease_seconds, patience=_ROOM_SECONDS, outer=self.session)
        async with AsyncExitStack() as stack:
            try:
                self.session, room = await stack.enter_async_context(opening)
            except DatabaseUnavailable as error:
                raise _uncountable(self.caller, error) from None
            if not room.usd:
                raise await _too_little_left(self.caller, day, wanted, room)
            self._has_reserved = True
            try:
                yield
            except BudgetExceeded as error:
                if error.limits == "session_limits":
                    raise await _too_little_left(self.caller, day, wanted, room) from None
                raise
            finally:
                self._has_reserved = False


def open_account(
    caller: Caller,
    metrics: "Metrics | None" = None,
    *,
    idempotency_key: str | None = None,
    kept_id: str | None = None,
    terms: str | None = None,
) -> Account:
    """Return the account of a new request, whose calls are counted as they end.

    Args:
        caller: Who asks.
        metrics: The server's counters; `None` where it has none.
        idempotency_key: The client's word for its request, which it says again where it sends it again; `None` for
            none. Its run is kept under it.
        kept_id: The hexadecimal id under which a run without such a word is kept; `None` keeps it only where a server
            promises to finish it.
        terms: The terms by which a server promises to finish the kept runs; `None` where none does.
    """
    # Not from a run's result, which a run that is cancelled does not have: its calls were paid for all the same.
    count = (lambda call: metrics.count_calls(Usage.of([call]), caller.name)) if metrics else None
    if idempotency_key:
        # Of both: nobody comes to another's run by guessing what he calls it.
        kept_id = _id_of(caller.sha256, idempotency_key)
    elif terms:
        kept_id = kept_id or uuid.uuid4().hex
    return Account(caller, metrics, Session(on_call=count), kept_id, Promise(terms) if terms else None)


def _id_of(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


_ROOM_SECONDS = 10.0
"""How long a request waits for runs under way that hold what is left of the day; its client waits as long."""
_SECONDS_TO_ASK_AGAIN = 1.0
"""Seconds after which a run is looked for again that somebody else works on."""
_LEAST_USD = 1e-9
"""Less is a rounding error of a sum."""
_log = logging.getLogger(__name__)


def _uncountable(caller: Caller, error: DatabaseUnavailable) -> ApiError:
    _log.error("'%s' is refused, its dollars a day cannot be counted: %s", caller.name, error)
    message = f"the dollars a day of '{caller.name}' cannot be counted now; ask again in some seconds"
    return ApiError(message, status=503, code="unavailable", headers={"Retry-After": "5"})


async def _too_little_left(caller: Caller, day: SharedBudget, wanted: Amounts, room: Amounts) -> ApiError:
    try:
        spent, renewal = (await day.balance()).spent.usd, next_day()
    except DatabaseUnavailable as error:
        return _uncountable(caller, error)
    # By what is spent alone: the runs that held the rest may have ended by now.
    if room.usd < min(wanted.usd, day.limits.usd - spent) - _LEAST_USD:
        message = (
            f"what is left of the ${day.limits.usd:g} a day of '{caller.name}' is reserved by runs under way; "
            "ask again when one has ended"
        )
        return ApiError(message, status=429, param="usd_a_day", code="rate_limit_exceeded")
    message = (
        f"too little is left of the ${day.limits.usd:g} a day of '{caller.name}': ${spent:.4f} are spent; they "
        f"renew at {renewal}"
    )
    # No status that clients repeat: nothing is left until the day ends.
    headers = {"x-should-retry": "false"}
    more = {"renews_at": renewal}
    return ApiError(message, status=402, param="usd_a_day", code="budget_exceeded", headers=headers, more=more)
