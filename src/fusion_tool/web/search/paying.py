"""What a search costs, told to whoever pays for it: before a provider is asked, and when it has answered."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass
class Receipt:
    """What the provider itself says that a request cost, in US dollars; `None` where it does not."""

    cost_usd: float | None = None


Pay: TypeAlias = Callable[[str, int], AbstractAsyncContextManager[Receipt]]
"""Takes a provider's name and how many results it is asked for; the request is made inside.

It raises `OverBudget` for one that cannot be afforded. A `ProviderFailed` from inside says whether the provider may
charge for the request; any other exception leaves it open.
"""


@asynccontextmanager
async def unpaid(provider: str, results: int) -> AsyncIterator[Receipt]:
    """Nobody is told."""
    del provider, results
    yield Receipt()
