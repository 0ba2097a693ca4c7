"""Calls that outlast the time to answer: left at work, found again by id, stopped with the server."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from fusion_tool.servers.mcp.server import McpOptions, McpServer
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.callers import caller
from tests.mcp_client import connected, new_server, text

ASKED = {"question": "How old is the mill?"}
SOON = 0.05
"""Seconds that a call waits for an answer that does not come."""


@asynccontextmanager
async def slow_panel(**options):
    """A server whose only seat answers when told to, a client, and the two events of the seat."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedChat):
        async def _agenerate(self, *given, **named):
            begun.set()
            await may_end.wait()
            return await super()._agenerate(*given, **named)

    seat = Slow(replies=["Old."])
    config = fake_config(panel=({"model": seat},), strategy="solo")
    server = new_server(config, **options)
    async with connected(server) as client:
        yield server, client, seat, begun, may_end


async def answer_of(client, run_id):
    """The result of a run whose seat may end: asked for until it is there."""
    while (result := await client.call({"run_id": run_id}))["structuredContent"].get("status") == "at_work":
        pass
    return result


async def test_a_call_that_takes_too_long_gives_an_id_and_the_id_gives_the_answer_twice():
    async with slow_panel(answer_within=SOON) as (_, client, seat, begun, may_end):
        left = await client.call(ASKED)
        run_id = left["structuredContent"]["run_id"]
        assert (left["isError"], left["structuredContent"]["status"]) == (False, "at_work")
        assert text(left).startswith(f"at work, id {run_id}: ")
        assert f"run_id = '{run_id}' alone" in text(left)
        await begun.wait()
        again = await client.call({"run_id": run_id})
        assert again["structuredContent"]["run_id"] == run_id
        assert again["structuredContent"]["status"] == "at_work"
        assert again["structuredContent"]["awaited"].startswith("1 seat at work, ")
        may_end.set()
        first, second = [await answer_of(client, run_id) for _ in range(2)]
    assert first["structuredContent"] == second["structuredContent"]
    assert (first["structuredContent"]["answer"], first["structuredContent"]["run_id"]) == ("Old.", run_id)
    assert len(seat.prompts) == 1


async def test_an_answer_in_time_comes_as_ever():
    async with connected(new_server(fake_config(answer="Old."), answer_within=45)) as client:
        answered = await client.call(ASKED)
        run_id = answered["structuredContent"]["run_id"]
        # As clients send it that fill in every argument.
        again = await client.call({"run_id": f" {run_id}\n", "question": "", "context": "", "excluded_domains": []})
    assert text(answered).startswith("Old.")
    # Read from the file, without the models, which are objects: nothing of it is done again.
    assert again["structuredContent"] == answered["structuredContent"]


async def test_a_cancelled_wait_leaves_a_run_whose_id_was_given_away():
    async with slow_panel(answer_within=SOON) as (server, client, _, begun, may_end):
        run_id = (await client.call(ASKED))["structuredContent"]["run_id"]
        await begun.wait()
        run = server.runs.find(run_id)
        waiting = asyncio.create_task(server.runs.result(run, None))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        may_end.set()
        assert not (await answer_of(client, run_id))["isError"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "question: is missing; say what to find out"),
        ({"run_id": "0" * 32}, f"run_id: no run '{'0' * 32}' of yours is kept here; ask the question again"),
        ({"run_id": "../../etc/passwd"}, "run_id: '../../etc/passwd' is no id of a call; give it as"),
        ({"run_id": "a\nforged line"}, "run_id: 'a\\nforged line' is no id of a call"),
        ({"run_id": "x" * 1000}, f"run_id: '{'x' * 80}' is no id of a call"),
        ({**ASKED, "continues": "x" * 1000}, f"continues: '{'x' * 80}' is no id of a call"),
        ({"run_id": "0" * 32, "strategy": "solo"}, "run_id: goes alone: "),
        ({"run_id": 7}, "run_id: must be a text"),
        ({**ASKED, "run_id": "0" * 32}, "run_id: goes alone: the run has its question and its limits"),
    ],
)
async def test_an_id_that_gives_nothing_says_why(arguments, complaint):
    async with connected(new_server(fake_config(answer="Old."), answer_within=45)) as client:
        refused = await client.call(arguments)
    assert (refused["isError"], text(refused).startswith(complaint)) == (True, True), text(refused)


async def test_nobody_elses_run_is_found():
    async with slow_panel(answer_within=SOON) as (_, client, *_rest):
        run_id = (await client.call(ASKED))["structuredContent"]["run_id"]
        somebody = McpServer(McpOptions(fake_config(), answer_within=45), caller("somebody"))
        async with connected(somebody) as other:
            refused = await other.call({"run_id": run_id})
    assert (refused["isError"], "of yours is kept here" in text(refused)) == (True, True)


async def test_a_run_left_at_work_takes_its_place_until_it_ends():
    async with slow_panel(answer_within=SOON, max_runs=1) as (_, client, _seat, _begun, may_end):
        run_id = (await client.call(ASKED))["structuredContent"]["run_id"]
        assert text(await client.call(ASKED)).startswith("all 1 places for runs are taken")
        may_end.set()
        await answer_of(client, run_id)
        assert not (await client.call(ASKED))["isError"]


@pytest.mark.parametrize(
    ("answer_within", "cure"), [(None, "ask again"), (45, "alone: the run goes on where it broke off")]
)
async def test_whoever_waits_when_the_server_is_stopped_is_told(answer_within, cure):
    async with slow_panel(answer_within=answer_within) as (server, client, _, begun, _may_end):
        call = asyncio.create_task(client.call(ASKED))
        await begun.wait()
        await server.runs.stop()
        stopped = await call
        late = await client.call(ASKED)
    assert stopped["isError"]
    assert text(stopped).startswith("the server is being stopped; once it is back, ask ")
    assert text(stopped).endswith(cure)
    assert text(late) == "the server is being stopped; ask again once it is back"


def test_a_server_needs_no_loop_until_it_serves():
    assert isinstance(new_server(fake_config()), McpServer)
