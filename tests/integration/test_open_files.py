"""A server under a limit of open files: it raises what it may, and takes no more runs than the files are enough for."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.integration.openai_server import command, user
from tests.scripted_server import Gate, Reply

pytestmark = pytest.mark.loopback

CLIENTS, LOW = 150, 128
FIT = (LOW - 64 - LOW // 8) // 3
"""Runs of one seat: an eighth of the files is for clients without a run."""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fusion.toml"
    path.write_text('panel = ["openrouter:test/one"]\nstrategy = "solo"\nsearch = false\nbash = "off"\n', "utf-8")
    return path


@asynccontextmanager
async def streams(url):
    """The streams of all clients, asked for at once: each on a connection of its own, with a question of its own."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=CLIENTS), timeout=120) as clients:
        bodies = [{"model": "fusion", "stream": True, "messages": [user(f"When, {i}?")]} for i in range(CLIENTS)]
        yield [asyncio.create_task(clients.post(f"{url}/chat/completions", json=body)) for body in bodies]


def is_whole(reply):
    *_, last = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    return reply.status_code == 200 and last["choices"][0]["finish_reason"] == "stop"


async def test_the_soft_limit_loses_no_stream_where_the_hard_one_is_higher(provider, file):
    gate = Gate()
    provider.reply("test/one", Reply("In 1861.", gate=gate))
    with command(file, "--max-runs", str(CLIENTS), files=(LOW, 4096)) as (_, url):
        async with streams(url) as asked:
            await provider.until(lambda: provider.in_flight == CLIENTS, timeout=60)
            gate.open()
            replies = await asyncio.gather(*asked)
    assert all(is_whole(reply) for reply in replies)


async def test_under_a_low_hard_limit_runs_that_do_not_fit_are_told_to_come_again(provider, file):
    gate = Gate()
    provider.reply("test/one", Reply("In 1861.", gate=gate))
    with command(file, "--max-runs", str(CLIENTS), files=(LOW, LOW)) as (process, url):
        async with streams(url) as asked:
            ended = zip(range(CLIENTS - FIT), asyncio.as_completed(asked), strict=False)
            refused = [await reply for _, reply in ended]
            await provider.until(lambda: provider.in_flight == FIT, timeout=60)
            gate.open()
            replies = await asyncio.gather(*asked)
        process.terminate()
    assert {reply.status_code for reply in refused} <= {429, 503}
    assert all(reply.headers["retry-after"] for reply in refused)
    assert [is_whole(reply) for reply in replies if reply.status_code == 200] == [True] * FIT
