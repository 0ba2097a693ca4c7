"""The quorum gate: it closes on a panel's late seats once enough of the others have answered.

Every seat is a graph branch of its own, so the seats of one wave find their common gate by a key that is the
same for all of them and for no other wave.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

_gates: WeakValueDictionary[str, "Gate"] = WeakValueDictionary()


class LateSeat(Exception):  # noqa: N818 - it is the seat's fate, told to the panelist node alone
    """The gate closed while this seat was still at work."""


class Gate:
    """Closes `grace_seconds` after the `quorum`-th seat has answered; with no quorum it stays open."""

    def __init__(self, *, quorum: int | None, grace_seconds: float) -> None:
        self._quorum = quorum
        self._grace = grace_seconds
        self._answered: set[str] = set()
        self._inside: set[asyncio.Timeout] = set()
        self._closes_at: float | None = None

    def answered(self, seat: str) -> None:
        """Count the usable answer of `seat`, once."""
        self._answered.add(seat)
        if self._quorum is None or len(self._answered) < self._quorum or self._closes_at is not None:
            return
        self._closes_at = asyncio.get_running_loop().time() + self._grace
        for scope in self._inside:
            scope.reschedule(self._closes_at)

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Do a seat's work inside.

        Raises:
            LateSeat: The gate closed first; the work was cancelled.
        """
        scope = asyncio.timeout_at(self._closes_at)
        try:
            async with scope:
                self._inside.add(scope)
                try:
                    yield
                finally:
                    self._inside.discard(scope)
        except TimeoutError:
            if scope.expired():
                raise LateSeat from None
            raise


def gate_of(key: str, *, quorum: int | None, grace_seconds: float) -> Gate:
    """The gate of `key`, shared by all who hold it; it goes with the last of them."""
    gate = _gates.get(key)
    if gate is None:
        gate = _gates[key] = Gate(quorum=quorum, grace_seconds=grace_seconds)
    return gate
