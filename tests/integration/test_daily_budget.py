"""Dollars a day of a key: kept by all processes, for all runs, whatever becomes of them."""

import asyncio
import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import openai
import pytest

from fusion_tool.budget.shared import next_day
from fusion_tool.budget.store import Amounts, SqliteBudgets
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.system import utc_day
from fusion_tool.servers import account
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from tests.integration.callers import caller, keys_file
from tests.integration.charging import Till
from tests.integration.mcp_connections import connected, serving
from tests.integration.openai_server import async_client, client, command, served, user
from tests.integration.panel import QUESTION, panel
from tests.mcp_client import connected as connected_in_memory
from tests.mcp_client import text
from tests.scripted_server import Gate, Hang, Reply, faults

pytestmark = pytest.mark.loopback

MODEL = "anthropic/claude-opus-4.8"
ASK = {"model": "fusion", "messages": [user(QUESTION)]}
A_DAY, A_RUN = 0.2, 0.06
SEAT = {"model": f"openrouter:{MODEL}", "max_tokens": 1000}
TERMS = f"usd_a_day = {A_DAY}\nlimits.usd = {A_RUN}"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def till(provider):
    """An endpoint that charges as much as it may."""
    till = Till()
    provider.otherwise(till.reply("an answer"))
    return till


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fusion.toml"
    path.write_text(
        f'panel = [{{ model = "openrouter:{MODEL}", max_tokens = 1000 }}]\nstrategy = "solo"\nsearch = false\n'
        'bash = "off"\n',
        "utf-8",
    )
    return path


def solo(**options):
    return panel(**({"panel": (SEAT,), "judge": SEAT, "synthesizer": SEAT, "strategy": "solo"} | options))


def day(name="alice"):
    return f"key {name} {utc_day()}"


def spent(name="alice"):
    """US dollars: spent today, and reserved."""

    async def read():
        balance = await SqliteBudgets().balance(day(name))
        return balance.spent.usd, balance.reserved.usd

    # In a thread: some tests have a loop of their own.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(read())).result()


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits for others to end."""
    monkeypatch.setattr(account, "_ROOM_SECONDS", 0)


def ask(url, name="alice", **options):
    return client(url, f"secret-{name}").chat.completions.create(**ASK | options)


@pytest.mark.timeout(200)  # three processes begin
def test_requests_at_once_in_two_workers_stay_within_the_day_and_a_restart_keeps_it(till, file, tmp_path):
    keys = str(keys_file(tmp_path, "alice", "bob", terms=TERMS))
    with command(file, "--workers", "2", "--keys", keys) as (_, url):

        def try_one(_):
            try:
                return ask(url).choices[0].message.content
            except openai.APIStatusError as refused:
                return refused.status_code, refused.code

        with ThreadPoolExecutor(12) as pool:
            outcomes = list(pool.map(try_one, range(12)))
    answers = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert set(outcomes) - set(answers) <= {(402, "budget_exceeded"), (429, "rate_limit_exceeded")}
    assert len(till.charges) == len(answers) >= 3
    assert till.usd <= A_DAY
    assert spent() == (pytest.approx(till.usd), 0)
    with command(file, "--keys", keys) as (_, url):
        for _ in range(7):  # what is left is less than a run needs, or soon will be
            try_one(None)
        assert (try_one(None), till.usd <= A_DAY) == ((402, "budget_exceeded"), True)
        assert ask(url, "bob").choices[0].message.content  # its own day


def test_whoever_has_spent_the_day_is_told_when_it_renews_and_does_not_come_again(till, provider):
    alice = caller("alice", usd_a_day=0.03, limits={"usd": A_RUN})
    with served(solo(), callers=(alice,)) as url:
        asking = client(url, "secret-alice", max_retries=5)
        while True:
            before = len(provider.requests)
            try:
                asking.chat.completions.create(**ASK)
            except openai.APIStatusError as error:
                refused = error
                break
    assert (refused.status_code, refused.code, refused.param) == (402, "budget_exceeded", "usd_a_day")
    assert refused.body["renews_at"] == next_day()
    assert f"they renew at {next_day()}" in refused.message
    assert "of the $0.03 a day of 'alice'" in refused.message
    assert len(provider.requests) == before
    assert till.usd <= 0.03


@pytest.mark.parametrize(("a_run", "left"), [(0.2, "nothing"), (0.199, "less than a call takes")])
@pytest.mark.usefixtures("impatient")
async def test_what_runs_under_way_hold_is_not_spent(provider, a_run, left):
    gate = Gate()
    provider.otherwise(Reply("It was built in 1861.", gate=gate, cost=0.001))
    alice = caller("alice", usd_a_day=A_DAY, limits={"usd": a_run})
    with served(solo(), callers=(alice,)) as url:
        async with async_client(url, "secret-alice") as opened:
            asking = opened.chat.completions
            first = asyncio.create_task(asking.create(**ASK))
            await provider.until(lambda: provider.in_flight == 1)
            with pytest.raises(openai.RateLimitError, match="of 'alice' is reserved by runs under way") as refused:
                await asking.create(**ASK)
            assert (refused.value.code, refused.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "5")
            gate.open()
            assert (await first).choices
            assert (await asking.create(**ASK)).choices, left


async def test_a_request_waits_for_room(provider):
    gate = Gate()
    provider.otherwise(Reply("It was built in 1861.", gate=gate, cost=0.001))
    alice = caller("alice", usd_a_day=A_DAY, limits={"usd": A_DAY})
    with served(solo(), callers=(alice,)) as url:
        async with async_client(url, "secret-alice") as opened:
            first = asyncio.create_task(opened.chat.completions.create(**ASK))
            await provider.until(lambda: provider.in_flight == 1)
            second = asyncio.create_task(opened.chat.completions.create(**ASK))
            gate.open()
            assert [(await one).choices[0].message.content for one in (first, second)] == ["It was built in 1861."] * 2
    assert spent() == (pytest.approx(0.002), 0)


async def test_a_client_that_leaves_pays_for_what_was_asked_by_then(provider):
    provider.otherwise(Hang())
    alice = caller("alice", usd_a_day=1, limits={"usd": A_RUN})
    with served(solo(), callers=(alice,)) as url:
        async with async_client(url, "secret-alice") as asking:
            asked = asyncio.create_task(asking.chat.completions.create(**ASK))
            await provider.until(lambda: len(provider.requests) == 1)
            assert spent() == (0.0, A_RUN)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            while spent()[1]:  # noqa: ASYNC110 - no event crosses the file
                await asyncio.sleep(0.01)
    # What the endpoint charged is not known: it counts with the most that it can be, and not with the whole limit.
    assert 0.02 < spent()[0] < A_RUN


def test_a_failed_run_and_a_refused_one_cost_what_they_cost(provider, till):
    alice = caller("alice", usd_a_day=1, limits={"usd": A_RUN})
    with served(solo(), callers=(alice,)) as url:
        with pytest.raises(openai.BadRequestError):
            ask(url, extra_body={"fusion": {"limits": {"usd": 2}}})
        provider.otherwise(faults.unauthorized())
        with pytest.raises(openai.APIStatusError):
            ask(url)
        assert spent() == (0.0, 0.0)
        provider.otherwise(till.reply("nothing"))
        with pytest.raises(openai.APIStatusError):
            ask(url)
    assert spent()[0] == pytest.approx(till.usd) != 0


@pytest.mark.parametrize("model", ["fusion", "fusion-agent"])
def test_what_has_no_price_is_refused_unless_the_operator_allows_it(provider, model):
    provider.otherwise(Reply("It is old."))
    unpriced = {"panel": ("openrouter:test/one",), "judge": None, "synthesizer": "openrouter:test/one"}
    alice = caller("alice", usd_a_day=1, limits={"usd": A_RUN})
    refusal = pytest.raises(openai.BadRequestError, match="has no known price")
    with served(solo(**unpriced), callers=(alice,)) as url, refusal:
        ask(url, model=model)
    assert not provider.requests
    with served(solo(**unpriced, allow_unpriced=True), callers=(alice,)) as url:
        assert ask(url, model=model).choices[0].message.content == "It is old."


def test_the_agents_main_model_and_its_runs_draw_on_one_reservation(till):
    alice = caller("alice", usd_a_day=1, limits={"usd": A_RUN})
    with served(solo(), callers=(alice,)) as url:
        assert ask(url, model="fusion-agent").choices
    assert spent() == (pytest.approx(till.usd), 0.0)


def test_a_file_that_cannot_be_used_refuses_before_anything_is_spent(provider, tmp_path, caplog):
    (tmp_path / "data").write_text("in its place", "utf-8")
    alice = caller("alice", usd_a_day=1, limits={"usd": A_RUN})
    with (
        served(solo(), callers=(alice,)) as url,
        pytest.raises(openai.InternalServerError, match="cannot be counted now") as refused,
    ):
        ask(url)
    assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (503, "5")
    assert "'alice' is refused" in caplog.text
    assert not provider.requests


@pytest.mark.parametrize(
    ("settings", "headers"),
    [({}, {"Idempotency-Key": "order 7"}), ({"cache": True}, {})],
    ids=["kept", "cached"],
)
def test_an_answer_that_is_paid_for_comes_again_whatever_is_left_of_the_day(till, settings, headers):
    alice = caller("alice", usd_a_day=A_RUN, limits={"usd": A_RUN})
    with served(solo(**settings), callers=(alice,)) as url:
        first = ask(url, extra_headers=headers)
        others = (ask(url, messages=[user(f"Another question, {number}?")]) for number in range(10))
        with pytest.raises(openai.APIStatusError, match="too little is left"):
            list(others)
        before = till.usd, spent()
        again = ask(url, extra_headers=headers)
    assert again.fusion["run_id"] == first.fusion["run_id"]
    assert again.choices[0].message.content == first.choices[0].message.content
    assert (till.usd, spent()) == before


async def test_a_kept_answer_is_read_whatever_is_left_of_the_day(till, file):
    alice = caller("alice", usd_a_day=A_RUN, limits={"usd": A_RUN})
    serve = partial(serving, file, answer_within=45)
    async with serve(callers=(alice,)) as url, connected(url, "secret-alice") as session:
        run_id = (await session.call({"question": QUESTION}))["structuredContent"]["run_id"]
        while not (await session.call({"question": QUESTION}))["isError"]:
            pass
    before = till.usd
    async with serve(callers=(alice,)) as url, connected(url, "secret-alice") as session:  # another process' place
        assert (await session.call({"run_id": run_id}))["structuredContent"]["run_id"] == run_id
    assert till.usd == before


@pytest.mark.usefixtures("impatient")
async def test_a_run_that_a_spent_day_stopped_goes_on_once_dollars_are_left(till, file, provider):
    provider.otherwise(Hang())
    alice = caller("alice", usd_a_day=1, limits={"usd": A_DAY})
    config = resolve_config(file)
    server = McpServer(McpOptions(config, answer_within=0.05), alice)
    async with connected_in_memory(server) as session:
        run_id = (await session.call({"question": QUESTION}))["structuredContent"]["run_id"]
        await provider.until(lambda: len(provider.requests) == 1)
    await server.runs.stop()
    provider.otherwise(till.reply("an answer"))
    rest = await SqliteBudgets().reserve(day(), Amounts(usd=1), Amounts(1, math.inf, math.inf), lease_seconds=60)
    async with connected_in_memory(McpServer(McpOptions(config, answer_within=45), alice)) as session:
        assert "a day of 'alice'" in text(await session.call({"run_id": run_id}))
        await SqliteBudgets().settle(rest, Amounts())
        answered = await session.call({"run_id": run_id})
    assert not answered["isError"], text(answered)
    assert answered["structuredContent"]["run_id"] == run_id


async def test_mcp_counts_the_same_day(till, file, tmp_path):
    alice = caller("alice", usd_a_day=A_RUN, limits={"usd": A_RUN})
    async with serving(file, callers=(alice,)) as url, connected(url, "secret-alice") as session:
        first = await session.call({"question": QUESTION})
        assert not first["isError"]
        with sqlite3.connect(tmp_path / "data" / "fusion-tool" / "spending.sqlite") as connection:
            rows = connection.execute("SELECT name, usd FROM budgets").fetchall()
            assert rows == [(day(), pytest.approx(till.usd))]
        while not (refused := await session.call({"question": QUESTION}))["isError"]:
            pass
    assert "a day of 'alice'" in text(refused)
    assert till.usd <= A_RUN
