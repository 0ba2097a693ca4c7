"""The promises of a server: runs that it finishes after a restart, though it was killed or stopped while they worked.

Each is a row beside the kept run (`api.run_store.Promise`). Whoever serves the same panel to the same caller may finish
the run: the server that comes back, a worker in the place of one that died, or another machine over the same database.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fusion_tool.api.run_store import RunBusyError, StorePlace, default_place, has_runs, open_store
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import dump_config
from fusion_tool.errors import ConfigError, DatabaseUnavailable
from fusion_tool.servers.account import open_account
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.keys import ANONYMOUS, Caller
from fusion_tool.servers.openai.errors import ApiError, to_api_error

if TYPE_CHECKING:  # MCP has no metrics, nor the package that they need
    from fusion_tool.servers.openai.metrics import Metrics

_log = logging.getLogger(__name__)
_SECONDS_TO_LOOK_AGAIN = 60.0
"""Another server may have died, or what kept a run from going on may have passed."""
_MOST_AT_ONCE = 5
"""The other places are for those who ask now."""


@asynccontextmanager
async def keep_promises(keeper: "PromiseKeeper | None") -> AsyncIterator[None]:
    """Finish promised runs while the context is open; what is not finished by then stays promised.

    Args:
        keeper: Who finishes them; `None` where a server promises nothing.
    """
    if keeper is None:
        yield
        return
    keeping = asyncio.ensure_future(keeper.run())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


@dataclass(frozen=True)
class PromiseKeeper:
    """What finishes the runs that servers of the same terms have promised.

    Args:
        panels: The operator's panel, then the presets that are served.
        callers: Who holds a key; empty where a server has no keys.
        slots: Places for runs, of which each takes one.
        metrics: The server's counters; `None` where it has none.
    """

    panels: Sequence[FusionConfig]
    callers: Sequence[Caller]
    slots: RunSlots
    metrics: "Metrics | None" = None
    _complaints: set[str] = field(default_factory=set, init=False)
    _terms: dict[str, str] = field(default_factory=dict, init=False)

    def terms_of(self, caller: Caller) -> str:
        """Return the terms of a caller's promises, a hash: who serves him other panels does not finish his runs."""
        if (known := self._terms.get(caller.sha256)) is None:
            parts = [caller.model_dump(mode="json"), *map(dump_config, self.panels)]
            known = self._terms[caller.sha256] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return known

    async def run(self) -> None:
        """Look for promised runs now and every minute, and finish them; does not end by itself."""
        while True:
            try:
                await self.finish_all()
            except (ConfigError, DatabaseUnavailable) as error:
                self._complain(f"runs that a server was to finish are not looked for: {error}")
            await asyncio.sleep(_SECONDS_TO_LOOK_AGAIN)

    async def finish_all(self) -> None:
        """Finish the runs that nobody works on.

        Raises:
            ConfigError: The place with the runs cannot be written.
            DatabaseUnavailable: It cannot be reached.
        """
        place = default_place(self.panels[0])
        if not has_runs(place):
            return
        async with open_store(place) as store:
            promises = await store.promises()
        by_terms = {self.terms_of(caller): caller for caller in self.callers or (ANONYMOUS,)}
        some = asyncio.Semaphore(_MOST_AT_ONCE)
        await asyncio.gather(
            *(self._finish(run_id, by_terms[terms], place, some) for run_id, terms in promises if terms in by_terms)
        )

    async def _finish(self, run_id: str, caller: Caller, place: StorePlace, some: asyncio.Semaphore) -> None:
        account = open_account(caller, self.metrics)
        try:
            async with some:
                with self.slots.acquire():
                    await account.resume(run_id, self.panels[0])
        except RunBusyError:  # somebody works on it: its client, who came again, or another server
            return
        except Exception as error:  # noqa: BLE001 - one run of many
            self._complain(
                f"run {run_id}, left by a server, is not finished: {to_api_error(error, caller.name).message}"
            )
            # What was refused before anything was asked may go on later; what failed would fail again, and be paid.
            if not isinstance(error, ApiError | DatabaseUnavailable) or account.session.is_used:
                async with open_store(place) as store:
                    await store.drop_promise(run_id)
        else:
            _log.info("run %s, left by a server, is finished", run_id)

    def _complain(self, message: str) -> None:
        if message not in self._complaints:
            self._complaints.add(message)
            _log.warning("%s", message)
