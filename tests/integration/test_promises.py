"""Runs that a server has promised: finished after its restart without their clients, by the same terms, and once."""

import asyncio
import contextlib
from collections import Counter

import httpx
import httpx2
import openai
import pytest

from fusion_tool import Panelist
from fusion_tool.api.run_store import default_place, delete_runs, open_store
from fusion_tool.api.stored_runs import list_runs, read_result
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.account import open_account
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.keys import ANONYMOUS
from fusion_tool.servers.mcp import http as mcp_http
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.promises import PromiseKeeper, keep_promises
from tests.integration.breaking import COST, SEATS, script_answers, wait_for
from tests.integration.callers import caller
from tests.integration.openai_server import client, command, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.mcp_client import connected
from tests.scripted_server import Hang, Reply, ToolCall, faults

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]
ADA = caller("ada")
ONCE = Counter([*SEATS, JUDGE, WRITER])
SLOW = 30.0
"""Seconds within which a process has started on a machine that is busy."""


@pytest.fixture(autouse=True)
def answers(provider, tmp_path, monkeypatch):
    script_answers(provider)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, monkeypatch):
    """Where runs are kept."""
    if request.param == "postgres":
        monkeypatch.setenv("FUSION_DATABASE_URL", request.getfixturevalue("database"))
    return default_place()


def keeper(config, *callers, places=5):
    return PromiseKeeper([config], callers, RunSlots(places), Metrics())


async def promises(place):
    async with open_store(place) as store:
        return await store.promises()


async def nothing_is_promised(place):
    await asyncio.to_thread(wait_for, lambda: not asyncio.run(promises(place)), SLOW)


async def stopped(provider, config, who=ADA, *, has_left=False):
    """A run of a server that was stopped while the judge was asked, or whose client left then."""
    provider.reply(JUDGE, Hang())
    account = open_account(who, terms=keeper(config, who).terms_of(who))
    run = asyncio.create_task(account.run(RunInput(QUESTION), config))
    await provider.until(lambda: provider.calls(JUDGE), SLOW)
    if has_left:
        account.leave()
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    return account.kept_id


async def test_what_a_stopped_server_left_is_finished_once_with_only_what_is_missing(provider, place):
    config = panel(*SEATS)
    run_id = await stopped(provider, config)
    assert [kept for kept, _ in await promises(place)] == [run_id]
    await asyncio.gather(*(keeper(config, ADA).finish_all() for _ in range(3)))
    result = await read_result(run_id, place)
    assert (result.answer, result.degraded) == ("In 1861.", [])
    assert provider.counts == ONCE + Counter([JUDGE])
    assert await promises(place) == []


async def test_a_run_that_its_client_left_is_not_bought_to_the_end(provider, place):
    config = panel(*SEATS)
    await stopped(provider, config, has_left=True)
    await keeper(config, ADA).finish_all()
    assert (await promises(place), provider.counts) == ([], Counter([*SEATS, JUDGE]))


@pytest.mark.parametrize(
    ("served_panel", "callers"),
    [
        pytest.param(panel(*SEATS, deny=("test/other",)), (ADA,), id="another panel"),
        pytest.param(panel(*SEATS), (caller("eve"),), id="another key"),
        pytest.param(panel(*SEATS), (caller("ada", models=()),), id="other terms"),
        pytest.param(panel(*SEATS), (), id="no keys"),
    ],
)
async def test_nobody_finishes_what_he_would_not_have_begun(provider, served_panel, callers):
    await stopped(provider, panel(*SEATS))
    before = provider.counts
    await keeper(served_panel, *callers).finish_all()
    assert (len(await promises(default_place())), provider.counts) == (1, before)


async def test_what_is_refused_now_goes_on_later_and_is_said_once(provider, caplog):
    config, ada = panel(*SEATS, limits={"usd": 0.1}, allow_unpriced=True), caller("ada", usd_a_day=0.1)
    run_id = await stopped(provider, config, ada)
    late = keeper(config, ada, places=1)
    with late.slots.acquire():
        await late.finish_all()
        await late.finish_all()
    assert caplog.text.count(f"run {run_id}, left by a server, is not finished: all 1 places for runs are taken") == 1
    assert len(await promises(default_place())) == 1
    await late.finish_all()
    assert (await read_result(run_id)).answer == "In 1861."


async def test_what_fails_is_said_and_not_bought_again(provider, caplog):
    config = panel(*SEATS, synthesizer=f"openrouter:{SEATS[0]}")
    for seat in SEATS:
        provider.reply(seat, Hang())
    account = open_account(ADA, terms=keeper(config, ADA).terms_of(ADA))
    run = asyncio.create_task(account.run(RunInput(QUESTION), config))
    await provider.until(lambda: all(provider.calls(seat) for seat in SEATS), SLOW)
    run.cancel()
    await asyncio.wait([run])
    for seat in SEATS:
        provider.reply(seat, faults.unauthorized())
    for _ in range(2):
        await keeper(config, ADA).finish_all()
    assert f"run {account.kept_id}, left by a server, is not finished: " in caplog.text
    assert await promises(default_place()) == []
    assert provider.counts == Counter([*SEATS] * 2)


async def test_a_deleted_run_is_promised_no_more(provider, place):
    run_id = await stopped(provider, panel(*SEATS))
    await delete_runs(run_id, place=place)
    assert await promises(place) == []


@pytest.mark.parametrize(("key", "silent"), [(None, SEATS[-1]), (None, JUDGE), ("order 7", WRITER)])
def test_an_answer_that_came_leaves_no_promise_and_every_run_is_kept(provider, key, silent):
    provider.reply(silent, faults.unauthorized())  # degraded, and still an answer
    headers = {"Idempotency-Key": key} if key else {}
    with served(panel(*SEATS), callers=(ADA,), keep=True) as url:
        ask = client(url, "secret-ada", timeout=SLOW).chat.completions.create
        said = ask(model="fusion", messages=[user(QUESTION)], extra_headers=headers)
    (run,) = asyncio.run(list_runs())
    assert (run.id, run.status) == (said.fusion["run_id"], "finished")
    assert asyncio.run(promises(default_place())) == []


@pytest.mark.parametrize(
    ("place", "end"), [("sqlite", "kill"), ("sqlite", "terminate"), ("postgres", "kill")], indirect=["place"]
)
def test_a_server_that_starts_again_finishes_what_its_end_broke_off_but_not_what_a_client_left(
    provider, place, tmp_path, end
):
    file = tmp_path / "fusion.toml"
    seats = ", ".join(f'"openrouter:{seat}"' for seat in SEATS)
    file.write_text(
        f'panel = [{seats}]\njudge = "openrouter:{JUDGE}"\nsynthesizer = "openrouter:{WRITER}"\n'
        'search = false\nbash = "off"\n'
    )
    provider.reply(JUDGE, Hang())

    def ask(url, key, **options):
        asking = client(url, timeout=SLOW).chat.completions
        headers = {"Idempotency-Key": key}
        return asking.create(model="fusion", messages=[user(QUESTION)], extra_headers=headers, **options)

    with command(file, "--keep", "--drain-seconds", "0") as (server, url):
        with ask(url, "order 6", stream=True):
            provider.wait_until(lambda: len(provider.calls(JUDGE)) == 1, SLOW)
        provider.wait_until(lambda: provider.in_flight == 0, SLOW)
        with ask(url, "order 7", stream=True) as stream:
            provider.wait_until(lambda: len(provider.calls(JUDGE)) == 2, SLOW)
            getattr(server, end)()
            with pytest.raises((openai.APIError, httpx.HTTPError, httpx2.HTTPError)):  # by the major of openai
                list(stream)
        server.wait(SLOW)
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    with command(file, "--keep") as (_, url):
        wait_for(lambda: {run.status for run in asyncio.run(list_runs(place))} == {"finished", "unfinished"}, SLOW)
        wait_for(lambda: not asyncio.run(promises(place)), SLOW)
        assert ask(url, "order 7").choices[0].message.content == "In 1861."
    assert provider.counts == Counter([*SEATS, *SEATS, JUDGE, JUDGE, JUDGE, WRITER])


async def test_a_stopped_mcp_servers_run_is_finished_by_the_next_one_and_answers_to_its_id(provider, place):
    provider.reply(JUDGE, Hang())
    options = McpOptions(panel(*SEATS), keep=True)
    keeping = PromiseKeeper([options.config], (), RunSlots(5))
    server = McpServer(options, ANONYMOUS, keeping.slots, keeping.terms_of(ANONYMOUS))
    async with connected(server) as asking:
        call = asyncio.create_task(asking.call({"question": QUESTION}))
        await provider.until(lambda: provider.calls(JUDGE), SLOW)
        await server.runs.stop()
        assert (await call)["isError"]
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    async with keep_promises(keeping):
        await provider.until(lambda: provider.calls(WRITER), SLOW)
        await nothing_is_promised(place)
    (run,) = await list_runs(place)
    # The next session may go on from it.
    async with connected(McpServer(options, ANONYMOUS, keeping.slots, keeping.terms_of(ANONYMOUS))) as later:
        followed = await later.call({"question": "By whom?", "continues": run.id})
    assert (run.status, followed["isError"]) == ("finished", False)


async def test_mcp_over_http_finishes_what_was_promised(provider):
    config = panel(*SEATS)
    run_id = await stopped(provider, config)
    app = mcp_http.create_app(McpOptions(config, keep=True), (ADA,))
    async with app.router.lifespan_context(app):
        await provider.until(lambda: provider.calls(WRITER), SLOW)
        await nothing_is_promised(default_place())
    assert (await read_result(run_id)).answer == "In 1861."


def test_a_panel_that_the_agents_model_asked_is_not_asked_again_for_the_same_key(provider):
    main = "test/main"
    research = Reply(tool_calls=[ToolCall("fusion_research", {"question": QUESTION})], cost=COST)

    def ask(url, key):
        provider.reply(main, research, Reply("It was built in 1861.", cost=COST))
        asking = client(url, "secret-ada", timeout=SLOW).chat.completions
        return asking.create(model="fusion-agent", messages=[user(QUESTION)], extra_headers={"Idempotency-Key": key})

    with served(panel(*SEATS), agent_model=Panelist(model=f"openrouter:{main}"), callers=(ADA,)) as url:
        first, again, other = ask(url, "order 7"), ask(url, "order 7"), ask(url, "order 8")
    ids = [said.fusion["runs"][0]["run_id"] for said in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
    assert provider.counts == ONCE + ONCE + Counter({main: 6})
