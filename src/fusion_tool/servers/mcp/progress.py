"""The progress of a run as lines for its clients: one a step, and one where nothing happens for some seconds.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/progress. The SDK of TypeScript gives
up after 60 seconds without progress, where its user has it count from the last one.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from fusion_tool.events import Event
from fusion_tool.graph.event_lines import describe, signed_by
from fusion_tool.servers.mcp.sdk import SendProgress

SILENT_SECONDS = 8.0
"""Seconds after which a client hears what is awaited: with what a busy loop takes, every ten."""

Lines: TypeAlias = "asyncio.Queue[str | None]"
"""The lines of a run for one listener; `None` ends them."""


class RunProgress:
    """What a run is doing, and the lines about it for everybody who waits for its answer.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()
        self._at_work: set[str] = set()
        self._stage, self._attempt = "the run is being prepared", 0
        self._listeners: list[Lines] = []

    @property
    def awaited(self) -> str:
        """What the run waits for now, and the seconds since it began."""
        count = len(self._at_work)
        stage = f"{count} seat{'s' if count > 1 else ''} at work" if count else self._stage
        return f"{stage}, {self._clock() - self._began:.0f} s"

    async def take(self, event: Event) -> None:
        """Take note of an event of the run."""
        line = describe(event)
        match event["type"]:
            case "panelist.started":
                self._at_work.add(event["seat"])
            case "panelist.answered" | "panelist.failed":
                self._at_work.discard(event["seat"])
            case "panel.closed":
                self._at_work.clear()  # whoever is still at work is waited for no longer
                self._stage = "the answers are being compared"
            case "judge.completed":
                self._stage = "the answer is being written"
            # Once a writer: the protocol carries lines of progress, and no pieces of a result.
            case "synthesis.delta" if event["attempt"] != self._attempt:
                line = f"the answer is being written{' anew' if self._attempt else ''}{signed_by(event)}"
                self._stage, self._attempt = "the answer is being written", event["attempt"]
        for lines in self._listeners if line is not None else ():
            lines.put_nowait(line)

    @contextmanager
    def listen(self) -> Iterator[Lines]:
        """Give the lines from now on, while the context is open."""
        lines: Lines = asyncio.Queue()
        self._listeners.append(lines)
        try:
            yield lines
        finally:
            self._listeners.remove(lines)


async def send_lines(
    progress: RunProgress, lines: Lines, send: SendProgress, silent_seconds: float | None = None
) -> None:
    """Send the lines of a run until they end.

    Args:
        progress: The run's progress.
        lines: Its lines for this client.
        send: Sends one; the numbers grow.
        silent_seconds: Seconds without a line after which the client is told what is awaited; `None` for
            `SILENT_SECONDS`.
    """
    step = 0
    while True:
        try:
            line = await asyncio.wait_for(lines.get(), SILENT_SECONDS if silent_seconds is None else silent_seconds)
        except TimeoutError:
            line = progress.awaited
        if line is None:
            return
        step += 1
        await send(step, line)
