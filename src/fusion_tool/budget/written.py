"""A stage's budget that is written down before each call: a process that dies leaves what it spent, and on what."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fusion_tool.budget.ledger import Ledger, Reservation, Spent, StageBudget
from fusion_tool.budget.usage import Call, StageName


class StageProgress(NamedTuple):
    """What is written down where a call begins.

    Args:
        spent: What the stage has spent and reserved; nothing where it has no limit.
        ended: The rows of the calls that have ended since another one began.
        under_way: The models, or what stands for them on the bill, of the calls that have not ended, this one last.
    """

    spent: Spent
    ended: list[Call]
    under_way: list[str]


class WrittenBudget(StageBudget):
    """A stage's budget that is written down.

    Args:
        ledger: As for `StageBudget`, and so are `stage`, `part` and `spent`.
        write: Writes down where it outlives this process.
    """

    def __init__(
        self,
        ledger: Ledger,
        stage: StageName,
        part: float = 1.0,
        *,
        spent: Spent | None = None,
        write: Callable[[StageProgress], Awaitable[None]],
    ) -> None:
        super().__init__(ledger, stage, part, spent=spent)
        self._write, self._is_limited = write, ledger.is_limited
        self._ended: list[Call] = []
        self._under_way: list[tuple[Reservation, str]] = []

    async def reserve(self, model: str, prompt_bytes: int, max_tokens: int | None = None) -> Reservation:
        """Reserve as `StageBudget` does, and write it down."""
        return await self._written(await super().reserve(model, prompt_bytes, max_tokens), model)

    async def reserve_fee(self, usd: float, name: str) -> Reservation:
        """Reserve as `StageBudget` does, and write it down."""
        return await self._written(await super().reserve_fee(usd, name), name)

    def settle(self, reservation: Reservation, call: Call | None) -> None:
        """Settle as `StageBudget` does."""
        # Written with the next call: a process that dies before leaves the reservation, and a call of unknown cost.
        super().settle(reservation, call)
        self._under_way = [(one, name) for one, name in self._under_way if one is not reservation]
        if call is not None:
            self._ended.append(call)

    async def _written(self, reservation: Reservation, name: str) -> Reservation:
        self._under_way.append((reservation, name))
        ended, self._ended = self._ended, []
        spent = self.spent if self._is_limited else Spent()
        try:
            # Before the call is made: after a crash nobody knows whether it was, and it may have been charged.
            await self._write(StageProgress(spent, ended, [name for _, name in self._under_way]))
        except BaseException:
            self._ended = [*ended, *self._ended]
            self.settle(reservation, None)  # the call is not made
            raise
        return reservation
