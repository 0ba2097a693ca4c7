"""The runs behind the calls of `fusion_research`: begun, waited for, found again by their ids.

Without `answer_within` a call is its run: it waits to the end, and cancelling it cancels the run. With it every run is
kept in SQLite, and a call that takes longer gives the run's id and leaves it at work. What a killed server leaves is
resumed by whoever asks with the id.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio

from fusion_tool.api.run_store import RUN_ID, RunBusyError
from fusion_tool.api.runner import OnEvent
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, FusionError
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.account import Account, open_account
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.keys import Caller
from fusion_tool.servers.mcp.progress import RunProgress, send_lines
from fusion_tool.servers.mcp.sdk import SendProgress

_log = logging.getLogger(__name__)

_MOST_FINISHED = 50
"""How many finished runs are remembered, so that whoever comes late need not read them from the file."""
_SECONDS_TO_ASK_AGAIN = 1.0
"""Seconds after which a run is looked for again that another process works on."""


@dataclass(frozen=True)
class CallRun:
    """A run that calls wait for.

    Args:
        id: The id by which calls find it again; of a kept run its own.
        account: The account of the call that began it, or asked for the rest of it.
        task: What carries it out, and returns the result as a dict.
        progress: What it is doing.
    """

    id: str
    account: Account
    task: "asyncio.Task[dict[str, Any]]"
    progress: RunProgress = field(default_factory=RunProgress)


class ServerStopped(FusionError):  # noqa: N818 - named as the package's errors are
    """The end of the server before that of a run."""


class CallRuns:
    """The runs of one caller.

    Args:
        caller: Who asks; nobody else finds them.
        operator: The operator's configuration, as the caller may use it.
        slots: Places for runs.
        answer_within: Seconds that a call waits for its answer; `None` for as long as it takes, and no run is kept that
            is not promised.
        terms: The terms by which the server promises to finish the runs; `None` where it does not.
    """

    def __init__(
        self,
        caller: Caller,
        operator: FusionConfig,
        slots: RunSlots,
        answer_within: float | None = None,
        terms: str | None = None,
    ) -> None:
        self._operator = operator
        self._caller, self._slots, self._answer_within, self._terms = caller, slots, answer_within, terms
        self._runs: dict[str, CallRun] = {}
        self._left_at_work = set[str]()
        self._is_stopped = False

    def begin(self, request: RunInput, config: FusionConfig, *, is_watched: bool) -> CallRun:
        """Begin a run.

        Args:
            request: What is asked.
            config: The run's configuration.
            is_watched: Whether somebody is told what it does.

        Raises:
            ApiError: All places for runs are taken.
            ServerStopped: The server is being stopped.
        """
        run_id = uuid.uuid4().hex
        may_be_left = self._answer_within is not None
        account = open_account(self._caller, kept_id=run_id if may_be_left or self._terms else None, terms=self._terms)

        async def work(tell: OnEvent) -> dict[str, Any]:
            # Whoever asks later for one that was left at work may want to be told, too.
            return await account.run(request, config, tell if is_watched or may_be_left else None)

        return self._start(run_id, account, work)

    def find(self, run_id: str) -> CallRun:
        """Return a run by its id; one that no task works on goes on where it broke off.

        Whether there is such a run is known once it is waited for.

        Raises:
            ApiError: All places for runs are taken.
            ConfigError: `run_id` is no id of a run.
            ServerStopped: The server is being stopped.
        """
        if not RUN_ID.fullmatch(run_id):  # it stands in lines of the log
            raise ConfigError(f"{run_id[:80]!r} is no id of a call; give it as the tool gave it", field="run_id")
        if (run := self._runs.get(run_id)) is not None:
            return run
        account = open_account(self._caller)
        run = self._start(run_id, account, lambda tell: self._resume(run_id, account, tell))
        self._left_at_work.add(run_id)
        return run

    def _start(
        self, run_id: str, account: Account, work: Callable[[OnEvent], Coroutine[Any, Any, dict[str, Any]]]
    ) -> CallRun:
        if self._is_stopped:
            raise ServerStopped("the server is being stopped; ask again once it is back")
        place, progress = ExitStack(), RunProgress()
        place.enter_context(self._slots.acquire())
        # A task of its own: the package's cancel scopes cancel at every `await`, which would break the run's cleanup.
        run = CallRun(run_id, account, asyncio.ensure_future(work(progress.take)), progress)
        self._runs[run_id] = run
        run.task.add_done_callback(lambda _: self._end(run, place))
        return run

    def _end(self, run: CallRun, place: ExitStack) -> None:
        place.close()
        was_left = run.id in self._left_at_work
        error = None if run.task.cancelled() else run.task.exception()
        if error is not None and was_left:
            _log.warning("run %s failed: %s", run.id, error)
        if run.task.cancelled() or not was_left:
            self._forget(run.id)
        finished = [other.id for other in self._runs.values() if other.task.done()]
        for run_id in finished[:-_MOST_FINISHED]:
            self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
        self._left_at_work.discard(run_id)

    async def result(self, run: CallRun, send_progress: SendProgress | None) -> dict[str, Any] | None:
        """Wait for a run's result; `None` where it is still at work when the time to answer is over.

        A caller that is cancelled takes its run with it, unless its id was given away: then others may wait for it.

        Args:
            run: The run.
            send_progress: Sends the progress to the client; `None` where it asked for none.

        Raises:
            FusionError: As `afuse`.
            ServerStopped: The server is being stopped.
        """
        with run.progress.listen() as lines:
            telling = asyncio.ensure_future(send_lines(run.progress, lines, send_progress)) if send_progress else None
            try:
                await asyncio.wait([run.task], timeout=self._answer_within)
                lines.put_nowait(None)
                if telling:
                    await telling
            except asyncio.CancelledError:
                with anyio.CancelScope(shield=True):
                    await self._leave(run)
                raise
            finally:
                if telling:
                    telling.cancel()
        if not run.task.done():
            self._left_at_work.add(run.id)
            return None
        if run.task.cancelled():
            raise ServerStopped(f"the server is being stopped; once it is back, {self._cure(run)}")
        return run.task.result()

    async def _leave(self, run: CallRun) -> None:
        if run.id not in self._left_at_work:
            run.account.leave()
            run.task.cancel()
            await asyncio.wait([run.task])

    def _cure(self, run: CallRun) -> str:
        if self._answer_within is None:
            return "ask again"
        return f"ask with run_id = '{run.id}' alone: the run goes on where it broke off"

    async def stop(self) -> None:
        """Cancel all runs, of which nothing is lost that is kept; whoever waits gets `ServerStopped`."""
        self._is_stopped = True
        tasks = [run.task for run in self._runs.values() if not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _resume(self, run_id: str, account: Account, tell: OnEvent) -> dict[str, Any]:
        while True:
            try:
                return await account.resume(run_id, self._operator, tell)
            except RunBusyError:
                # Another server of this user's: clients start one each. Its run ends, or its process does.
                await asyncio.sleep(_SECONDS_TO_ASK_AGAIN)
            except Exception:
                # What kept it from going on may pass, as a day without dollars does: it is tried when next asked for.
                if not account.session.is_used:
                    self._forget(run_id)
                raise
