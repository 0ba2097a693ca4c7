"""What is told of a run: each step, and what is awaited where nothing happens. No test waits for a real second."""

import asyncio

from fusion_tool.servers.mcp import progress as progress_module
from fusion_tool.servers.mcp.progress import SILENT_SECONDS, RunProgress, send_lines


def started(seat):
    return {"type": "panelist.started", "seat": seat, "model": seat, "wave": 1, "run_id": "r", "t": 0.0}


def failed(seat):
    return {"type": "panelist.failed", "seat": seat, "model": seat, "reason": "timeout", "message": "", "t": 0.0}


CLOSED = {"type": "panel.closed", "answered": 1, "failed": 1}
JUDGED = {"type": "judge.completed", "model": "judge", "consensus": 1, "contradictions": 0}


async def test_it_says_what_is_awaited_and_for_how_long():
    now = 100.0
    progress = RunProgress(clock=lambda: now)
    awaited = [progress.awaited]
    for seconds, event in enumerate((started("a"), started("b"), failed("a"), CLOSED, JUDGED), 1):
        await progress.take(event)
        now = 100.0 + 10 * seconds
        awaited.append(progress.awaited)
    assert awaited == [
        "the run is being prepared, 0 s",
        "1 seat at work, 10 s",
        "2 seats at work, 20 s",
        "1 seat at work, 30 s",
        "the answers are being compared, 40 s",
        "the answer is being written, 50 s",
    ]


async def test_a_silent_run_is_heard_of_again_and_again_with_numbers_that_grow():
    progress, told, enough = RunProgress(clock=lambda: 24.0), [], asyncio.Event()

    async def send(step, line):
        told.append((step, line))
        if len(told) == 4:
            enough.set()

    await progress.take(started("a"))
    with progress.listen() as lines:
        telling = asyncio.create_task(send_lines(progress, lines, send, silent_seconds=0.001))
        await enough.wait()
        await progress.take(started("b"))
        lines.put_nowait(None)
        await telling
    steps = [step for step, _ in told]
    assert steps == list(range(1, len(told) + 1))
    assert {line for _, line in told} >= {"1 seat at work, 0 s", "b: asked"}
    assert told[-1][1] == "b: asked"


async def test_every_wait_is_shorter_than_ten_seconds(monkeypatch):
    waits = []

    async def wait_for(get, seconds):
        get.close()
        waits.append(seconds)
        if len(waits) < 3:
            raise TimeoutError

    monkeypatch.setattr(progress_module.asyncio, "wait_for", wait_for)
    progress = RunProgress()
    with progress.listen() as lines:
        await send_lines(progress, lines, lambda *_: asyncio.sleep(0))
    assert waits == [SILENT_SECONDS] * 3
    assert SILENT_SECONDS < 10


async def test_all_listeners_get_all_lines_until_they_leave():
    progress = RunProgress()
    with progress.listen() as one:
        await progress.take(started("a"))
        with progress.listen() as other:
            await progress.take(started("b"))
        await progress.take(failed("a"))
    assert (one.qsize(), other.qsize()) == (3, 1)
