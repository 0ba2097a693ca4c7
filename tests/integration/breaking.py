"""The words in which tests break a run off: by killing its process, or by cancelling it."""

import asyncio
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from fusion_tool import afuse
from fusion_tool.api.stored_runs import list_runs
from tests.integration import forked, kept_run
from tests.integration.panel import JUDGE, QUESTION, WRITER, verdict
from tests.scripted_server import Hang, Reply

SEATS = ("test/one", "test/two", "test/three")
COST = 0.001


def script_answers(provider):
    """Let seats, judge and writer answer, each call for `COST`."""
    for seat in SEATS:
        provider.reply(seat, Reply("It was built in 1861.", cost=COST))
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    provider.reply(WRITER, Reply("In 1861.", cost=COST))


def kept_answers(file):
    """How many seats' records have reached the file; `route` writes there too."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM writes WHERE channel = 'records'").fetchone()[0] - 1
        except sqlite3.OperationalError:  # not there yet
            return 0


def wait_for(happened, seconds=20.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def killed(provider, file, config, *node, silent=()):
    """The id of a run that was killed: where it would begin `node`, else once all the `silent` are being asked."""
    for model in silent:
        provider.reply(model, Hang())
    process = forked.start(kept_run.main, str(file), config.model_dump_json(), *node)
    if silent:
        done = len(set(SEATS) - set(silent)) if set(SEATS) & set(silent) else 0
        while not all(provider.calls(model) for model in silent) or kept_answers(file) < done:
            assert process.is_alive()  # it has all the time that the test has
            time.sleep(0.01)
        process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    for model in silent:
        provider.reply(model, Reply(verdict() if model == JUDGE else "In 1861, at last.", cost=COST))
    (run,) = asyncio.run(list_runs(file))
    assert run.question == QUESTION
    return run


async def broken_off(provider, file, config, silent):
    """The id of a run that was cancelled while the seats `silent` were at work; they answer afterwards."""
    for model in silent:
        provider.reply(model, Hang())
    task = asyncio.create_task(afuse(QUESTION, config, keep=file))
    await asyncio.to_thread(wait_for, lambda: kept_answers(file) == len(config.panel) - len(silent))
    await provider.until(lambda: all(provider.calls(model) for model in silent))
    await cancelled(task)
    for model in silent:
        provider.reply(model, Reply("In 1861, at last.", cost=COST))
    (run,) = await list_runs(file)
    return run.id


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
