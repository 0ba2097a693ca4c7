"""A run's part of a budget that several processes draw on: a session of its own, within what was reserved for it."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.budget.session import Session
from fusion_tool.budget.store import Amounts, Balance, BudgetStore, RunReservation, SqliteBudgets
from fusion_tool.config.database import database_address
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.config.system import utc_day
from fusion_tool.config.tasks import finish
from fusion_tool.errors import DatabaseUnavailable

_FIRST_POLL_SECONDS, _LAST_POLL_SECONDS = 0.02, 0.5
_SETTLE_SECONDS, _SETTLE_PAUSE_SECONDS = 10.0, 0.5
"""How long a run that has ended tries to tell so: a database that restarts is away for some seconds."""
_SPARE_SECONDS = 60.0
"""What a lease lasts beyond the longest that its run may work: it is settled after its last call."""
_log = logging.getLogger(__name__)


def budget_store(config: FusionConfig | None) -> BudgetStore:
    """Return where budgets are counted by a configuration: in its database, else in the user's data folder."""
    address = database_address(config)
    return SqliteBudgets() if address is None else PostgresBudgets(address)


def next_day() -> str:
    """Return when the day in UTC ends, as ISO 8601 has it."""
    return f"{(datetime.now(UTC) + timedelta(days=1)).date().isoformat()}T00:00:00Z"


@dataclass(frozen=True)
class SharedBudget:
    """A budget that several processes draw on.

    Args:
        name: Its name in the store.
        limits: Its limits; infinite where it has none.
        store: Where it is counted.
    """

    name: str
    limits: Amounts
    store: BudgetStore

    @classmethod
    def of_day(cls, holder: str, usd: float, config: FusionConfig | None) -> "SharedBudget":
        """Return today's budget, in UTC, of a key or an identity; what a run reserves counts for this day.

        Args:
            holder: Whose it is, with what that is: `"key alice"`.
            usd: US dollars of a day.
            config: Says where it is counted; `None` leaves that to the environment.
        """
        return cls(f"{holder} {utc_day()}", Amounts(usd, math.inf, math.inf), budget_store(config))

    @classmethod
    def of_session(cls, name: str, limits: Limits | None, config: FusionConfig) -> "SharedBudget":
        """Return the budget of a session that has a name.

        Args:
            name: The session's name.
            limits: What its runs may take together; what is left out, and `None`, has no limit.
            config: Says where it is counted.
        """
        explicit = limits.model_dump(include=limits.model_fields_set, exclude_none=True) if limits else {}
        most = (explicit.get(kind, math.inf) for kind in Amounts._fields)
        return cls(f"session {name}", Amounts(*most), budget_store(config))

    @asynccontextmanager
    async def open(
        self,
        wanted: Amounts,
        *,
        lease_seconds: float,
        patience: float,
        outer: Session | None = None,
    ) -> AsyncIterator[tuple[Session, Amounts]]:
        """Reserve a run's part before it begins, and settle it when it has ended, failed or been cancelled.

        Args:
            wanted: The most that it may take; infinite for all that is left.
            lease_seconds: How long it may work.
            patience: How many seconds to wait for others to end that hold what it may take; then it begins with what
                is left.
            outer: The session that it is part of besides; `None` for none.

        Yields:
            The session that the run is part of, and what it may take; nothing of what is used up.

        Raises:
            DatabaseUnavailable: Nobody knows what is left.
        """
        reservation = await self._reserve(wanted, lease_seconds + _SPARE_SECONDS, patience)
        room: dict[str, Any] = reservation.amounts._replace(tokens=int(reservation.amounts.tokens))._asdict()
        kinds = {kind for kind, limit in self.limits._asdict().items() if limit < math.inf}
        # Not validated: a limit that an operator sets is above 0, while what is left may be nothing.
        session = Session(Limits.model_construct(kinds, **room), outer=outer)
        try:
            yield session, reservation.amounts
        finally:
            await self._settle(reservation, session)

    async def balance(self) -> Balance:
        """Return what is spent and reserved of it."""
        return await self.store.balance(self.name)

    async def _reserve(self, wanted: Amounts, lease_seconds: float, patience: float) -> RunReservation:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + patience, _FIRST_POLL_SECONDS
        while True:
            whole = loop.time() < deadline
            reserving = asyncio.ensure_future(
                self.store.reserve(self.name, wanted, self.limits, lease_seconds=lease_seconds, whole=whole)
            )
            try:
                if (reservation := await finish(reserving)) is not None:
                    return reservation
            except DatabaseUnavailable as error:
                cause = f"what is left of the budget of '{self.name}' is unknown ({error.cause})"
                raise DatabaseUnavailable(cause) from None
            except asyncio.CancelledError:
                # It went on to its end, and what it reserved would stay reserved.
                if not reserving.cancelled() and not reserving.exception() and (late := reserving.result()):
                    await self._settle(late, None)
                raise
            await asyncio.sleep(min(pause, deadline - loop.time()))
            pause = min(2 * pause, _LAST_POLL_SECONDS)

    async def _settle(self, reservation: RunReservation, session: Session | None) -> None:
        spent = Amounts(*session.spent) if session else Amounts()
        try:
            await finish(asyncio.ensure_future(self._settle_patiently(reservation, spent)))
        except DatabaseUnavailable as error:
            text = "what a run of '%s' spent, %s, is not counted; what it had reserved, %s, counts as spent: %s"
            _log.error(text, self.name, _describe(spent), _describe(reservation.amounts), error)

    async def _settle_patiently(self, reservation: RunReservation, spent: Amounts) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLE_SECONDS
        while True:
            try:
                return await self.store.settle(reservation, spent)
            except DatabaseUnavailable:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_SETTLE_PAUSE_SECONDS)


def _describe(amounts: Amounts) -> str:
    return f"${amounts.usd:g}, {amounts.tokens:g} tokens, {amounts.seconds:.0f} s"
