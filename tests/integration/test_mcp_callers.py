"""Two keys at one MCP server: the sessions, results and kept runs of one do not exist for the other."""

import json

import httpx
import pytest

from tests.integration.mcp_connections import connected, panel_file, serving
from tests.integration.panel import verdict
from tests.mcp_client import ProtocolError, text
from tests.scripted_server import Gate, Reply

pytestmark = pytest.mark.loopback

ASKED = {"question": "How old is the mill?"}
ACCEPT = {"accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 7, "method": "resources/list"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}


@pytest.fixture
def file(tmp_path, scripted):
    scripted.otherwise("It is old.")
    scripted.reply("judge", verdict())
    return panel_file(tmp_path, scripted, "one")


async def test_a_session_is_its_keys_own(file):
    async with serving(file, "alice", "bob") as url, httpx.AsyncClient() as client:
        opened = await client.post(url, json=INITIALIZE, headers=ACCEPT | {"authorization": "Bearer alice"})
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        answers = [
            await client.post(url, json=LIST, headers=ACCEPT | headers)
            for headers in (
                session | {"authorization": "Bearer alice"},
                session | {"authorization": "Bearer bob"},
                {"mcp-session-id": "0" * 32, "authorization": "Bearer bob"},
            )
        ]
        ended = await client.delete(url, headers=session | {"authorization": "Bearer bob"})
    assert [answer.status_code for answer in answers] == [200, 404, 404]
    assert answers[1].json() == answers[2].json()  # as if there were none
    assert ended.status_code == 404


async def test_so_are_its_results(file):
    async with serving(file, "alice", "bob") as url, connected(url, "alice") as alice, connected(url, "bob") as bob:
        result = await alice.call(ASKED)
        address = f"fusion://results/{result['structuredContent']['run_id']}"
        assert json.loads((await alice.read(address))["text"])["answer"] == "It is old."
        assert len(await bob.resources()) == 1  # the empty list
        with pytest.raises(ProtocolError, match="no result at"):
            await bob.read(address)


async def test_so_are_its_kept_runs_where_another_key_takes_its_name(file):
    async with serving(file, "alice", "bob", answer_within=45) as url, connected(url, "alice") as client:
        run_id = (await client.call(ASKED))["structuredContent"]["run_id"]
    # The operator takes the first key away: the second has its name from now on.
    async with serving(file, "bob", answer_within=45) as url, connected(url, "bob") as client:
        refused = await client.call({"run_id": run_id})
    assert (refused["isError"], "of yours is kept here" in text(refused)) == (True, True)
    async with serving(file, "carol", "alice", answer_within=45) as url, connected(url, "alice") as client:
        assert (await client.call({"run_id": run_id}))["structuredContent"]["answer"] == "It is old."


async def test_and_its_runs_at_work(file, scripted):
    gate = Gate()
    scripted.reply("one", Reply("It is old.", gate=gate))
    async with (
        serving(file, "alice", "bob", answer_within=0.05) as url,
        connected(url, "alice") as alice,
        connected(url, "bob") as bob,
    ):
        run_id = (await alice.call(ASKED))["structuredContent"]["run_id"]
        while not (refused := await bob.call({"run_id": run_id}))["isError"]:
            assert refused["structuredContent"]["status"] == "at_work"  # it is still being looked for
        gate.open()
        while "answer" not in (found := (await alice.call({"run_id": run_id}))["structuredContent"]):
            assert found["run_id"] == run_id
    assert refused["isError"]
    assert "of yours is kept here" in text(refused)
    assert found["answer"] == "It is old."
