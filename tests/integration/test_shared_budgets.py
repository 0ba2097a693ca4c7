"""Budgets that processes share: of sessions that have a name, and of whoever an Agent Server identified."""

import asyncio
import math

import pytest
from langchain_core.runnables import RunnableConfig

from fusion_tool import BudgetExceeded, ChatFusion, ConfigError, FusionTool, Limits, build_graph
from fusion_tool.budget.shared import SharedBudget, budget_store
from fusion_tool.config.system import utc_day
from fusion_tool.errors import DatabaseUnavailable, PanelFailed
from fusion_tool.testing import ScriptedChat
from tests.integration.test_session_limits import Talker, a_call, bill, talkers

QUESTION = "What is it?"


@pytest.fixture(params=["sqlite", "postgres"], autouse=True)
def address(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if request.param == "sqlite":
        return None
    address = request.getfixturevalue("database")
    monkeypatch.setenv("FUSION_DATABASE_URL", address)
    return address


async def balance(name):
    return await budget_store(None).balance(name)


# -- sessions that have a name ------------------------------------------------------------------------------------


async def test_objects_of_one_session_share_its_limits():
    """What two objects had twice, each for itself, they have once."""
    limits = Limits(usd=0.2)
    one, other = (FusionTool(talkers(), session_limits=limits, session="ticket") for _ in range(2))
    spent = []
    for _ in range(12):
        for tool in (one, other):
            message = await tool.ainvoke(a_call())
            if message.status == "success":
                spent.append(bill(message)["cost_usd"])
    assert message.content.startswith("BudgetExceeded: session_limits.usd: the run needs at least ")
    assert 0.1 < sum(spent) <= 0.2
    stored = await balance("session ticket")
    assert stored.spent.usd == pytest.approx(sum(spent)) == pytest.approx(one.spent.usd + other.spent.usd)
    assert stored.reserved.usd == 0
    assert (await ChatFusion(talkers(), session_limits=limits, session="other").ainvoke(QUESTION)).text


async def test_calls_at_once_wait_for_each_other_and_share_the_limit():
    tool = FusionTool(talkers(), session_limits=Limits(tokens=20_000), session="ticket")
    messages = await asyncio.gather(*(tool.ainvoke(a_call(f"call-{n}")) for n in range(5)))
    assert "success" in {one.status for one in messages}
    stored = await balance("session ticket")
    assert 10_000 < stored.spent.tokens <= 20_000
    assert stored.reserved.tokens == 0


async def test_seconds_are_shared_too():
    tool = FusionTool(talkers(), session_limits=Limits(seconds=100), session="ticket")
    assert (await tool.ainvoke(a_call())).status == "success"
    stored = (await balance("session ticket")).spent.seconds
    assert stored == pytest.approx(tool.spent.seconds)
    assert 0 < stored < 100


async def test_without_limits_a_session_only_counts():
    tool = FusionTool(talkers(), session="ticket")
    assert (await tool.ainvoke(a_call())).status == "success"
    assert (await balance("session ticket")).spent.usd == pytest.approx(tool.spent.usd) != 0


async def test_a_failed_call_is_settled():
    broken = {"model": ScriptedChat(replies=[RuntimeError("broken")]), "max_tokens": 1000}
    config = talkers(panel=[broken, broken], allow_unpriced=True)
    tool = FusionTool(config, session_limits=Limits(usd=5), session="ticket")
    with pytest.raises(PanelFailed):
        await tool.ainvoke({"question": QUESTION})
    assert (await balance("session ticket")).reserved.usd == 0


async def test_where_nobody_knows_what_is_left_nothing_is_spent(address, tmp_path, monkeypatch):
    if address is None:
        (tmp_path / "fusion-tool").write_text("in its place")
    else:
        monkeypatch.setenv("FUSION_DATABASE_URL", "postgresql://nobody@/none?host=/nowhere")
    model = Talker(replies=["It is so."], model_name="openrouter:anthropic/claude-opus-4.8")
    tool = FusionTool(talkers(panel=[model]), session_limits=Limits(usd=5), session="ticket")
    with pytest.raises(DatabaseUnavailable, match="left of the budget of 'session ticket' is unknown") as refused:
        await tool.ainvoke({"question": QUESTION})
    assert "\n" not in str(refused.value)
    assert model.prompts == []


# -- authenticated callers ----------------------------------------------------------------------------------------


class User:
    """As an Agent Server hands over what `authenticate` returned."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def run_of(user, **configurable) -> RunnableConfig:
    return {"configurable": {"langgraph_auth_user": user, **configurable}}


def day(name):
    return f"identity {name} {utc_day()}"


@pytest.mark.parametrize("kind", [dict, User])
async def test_an_identity_spends_no_more_than_its_day_whatever_graph_it_asks(kind):
    alice = kind(identity="alice", usd_a_day=0.2)
    graphs = [build_graph(talkers(limits={"usd": 0.1})) for _ in range(2)]
    spent, refusals = 0.0, []
    for number in range(12):
        try:
            state = await graphs[number % 2].ainvoke({"question": QUESTION}, run_of(alice))
        except BudgetExceeded as error:
            refusals.append(error)
        else:
            spent += state["result"]["usage"]["cost_usd"]
    assert 0.1 < spent <= 0.2
    stored = await balance(day("alice"))
    assert (stored.spent.usd, stored.reserved.usd) == (pytest.approx(spent), 0)
    assert {error.limits for error in refusals} == {"usd_a_day"}
    assert str(refusals[0]).startswith("usd_a_day: the run needs at least ")
    assert (await graphs[0].ainvoke({"question": QUESTION}, run_of(kind(identity="bob", usd_a_day=0.2))))["result"]


async def test_runs_at_once_stay_within_the_day_and_leave_nothing_reserved():
    alice = {"identity": "alice", "usd_a_day": 0.15}
    graph = build_graph(talkers(limits={"usd": 0.1}))
    runs = (graph.ainvoke({"question": QUESTION}, run_of(alice)) for _ in range(6))
    ended = await asyncio.gather(*runs, return_exceptions=True)
    spent = sum(state["result"]["usage"]["cost_usd"] for state in ended if isinstance(state, dict))
    stored = await balance(day("alice"))
    assert (stored.spent.usd, stored.reserved.usd) == (pytest.approx(spent), 0)
    assert 0 < spent <= 0.15
    assert {type(one) for one in ended} <= {dict, BudgetExceeded}


async def test_a_run_that_is_left_is_settled():
    alice = {"identity": "alice", "usd_a_day": 1}
    graph = build_graph(talkers(limits={"usd": 0.5}))
    stream = graph.astream({"question": QUESTION}, run_of(alice), stream_mode="custom")
    await anext(stream)
    assert (await balance(day("alice"))).reserved.usd == 0.5
    await stream.aclose()
    assert (await balance(day("alice"))).reserved.usd == 0


async def test_a_tool_inside_another_graph_draws_on_its_callers_day():
    tool = FusionTool(talkers(), session_limits=Limits(usd=5), limits={"usd": 0.1})
    message = await tool.ainvoke(a_call(), run_of({"identity": "alice", "usd_a_day": 1}))
    assert message.status == "success"
    assert (await balance(day("alice"))).spent.usd == pytest.approx(tool.spent.usd) != 0


@pytest.mark.parametrize("user", [None, {"identity": "alice"}, User(identity="alice")])
async def test_who_has_no_day_is_not_counted(user):
    await build_graph(talkers()).ainvoke({"question": QUESTION}, run_of(user))
    assert (await balance(day("alice"))).spent.usd == 0


@pytest.mark.parametrize("usd", ["5", 0, -1, math.inf, math.nan, True])
async def test_a_day_that_is_no_amount_is_refused(usd):
    with pytest.raises(ConfigError, match=r"^usd_a_day: expected US dollars above 0"):
        await build_graph(talkers()).ainvoke({"question": QUESTION}, run_of({"identity": "a", "usd_a_day": usd}))


async def test_a_day_is_counted_in_the_database_of_the_configuration(address, database):
    await SharedBudget.of_day("identity alice", 1.0, talkers(database=database)).balance()
    graph = build_graph(talkers(limits={"usd": 0.1}, database=database))
    await graph.ainvoke({"question": QUESTION}, run_of({"identity": "alice", "usd_a_day": 1}))
    stored = await budget_store(talkers(database=database)).balance(day("alice"))
    assert stored.spent.usd > 0
    assert ((await balance(day("alice"))).spent.usd == 0) == (address != database)
