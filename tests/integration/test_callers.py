"""Several keys at one server: each caller sees and spends its own alone."""

import asyncio

import httpx
import openai
import pytest

from fusion_tool.config.presets import load_presets
from tests.integration.callers import caller
from tests.integration.openai_server import async_client, client, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Hang, Reply

pytestmark = pytest.mark.loopback

ASK = {"model": "fusion", "messages": [user(QUESTION)]}
PANEL = panel("test/one")


@pytest.fixture(autouse=True)
def _answers(provider):
    provider.otherwise(Reply("In 1861.", cost=0.125))
    provider.reply(JUDGE, verdict())


def metrics(url, name="operator"):
    key = {"Authorization": f"Bearer secret-{name}"}
    return httpx.get(url.replace("/v1", "/metrics"), headers=key)


def code(refused):
    return refused.value.status_code, refused.value.code


def test_a_key_sees_and_asks_its_models_alone(provider):
    alice = caller("alice", models=("fusion-fast", "fusion"))
    with served(PANEL, presets=load_presets(["fast", "free"]), callers=(alice, caller("bob"))) as url:
        names = [[model.id for model in client(url, f"secret-{who}").models.list()] for who in ("alice", "bob")]
        assert names == [["fusion", "fusion-fast"], ["fusion", "fusion-agent", "fusion-fast", "fusion-free"]]
        asking = client(url, "secret-alice")
        assert asking.models.retrieve("fusion-fast").id == "fusion-fast"
        for forbidden in ("fusion-free", "fusion-agent"):
            with pytest.raises(openai.NotFoundError, match="there are fusion, fusion-fast"):
                asking.models.retrieve(forbidden)
            with pytest.raises(openai.NotFoundError, match="there are fusion, fusion-fast"):
                asking.chat.completions.create(**ASK | {"model": forbidden})
        with pytest.raises(openai.BadRequestError, match="'free' is not offered here"):
            asking.chat.completions.create(**ASK, extra_body={"fusion": {"preset": "free"}})
    assert not provider.requests


def test_a_key_for_a_preset_alone_names_no_model_of_the_operators_panel(provider):
    with served(PANEL, presets=load_presets(["fast"]), callers=(caller("alice", models=("fusion-fast",)),)) as url:
        wishes = {"fusion": {"models": ["openrouter:test/one"]}}
        with pytest.raises(openai.BadRequestError, match="'openrouter:test/one' is not offered here"):
            client(url, "secret-alice").chat.completions.create(**ASK | {"model": "fusion-fast"}, extra_body=wishes)
    assert not provider.requests


@pytest.mark.parametrize(
    ("kind", "wish", "allowed"), [("usd", 0.75, 0.5), ("tokens", 60_000, 50_000), ("seconds", 90, 60)]
)
def test_a_caller_is_held_to_the_limits_of_its_key(kind, wish, allowed):
    config = panel("test/one", allow_unpriced=True, limits={"usd": 1, "tokens": 100_000, "seconds": 100})
    alice, bob = caller("alice", limits={kind: allowed}), caller("bob", limits={kind: wish * 100})
    wishes = {"fusion": {"limits": {kind: wish}}}
    with served(config, callers=(alice, bob)) as url:
        with pytest.raises(openai.BadRequestError, match=f"limits.{kind}: at most {allowed} is allowed here"):
            client(url, "secret-alice").chat.completions.create(**ASK, extra_body=wishes)
        assert client(url, "secret-bob").chat.completions.create(**ASK, extra_body=wishes).choices
        wider = {"fusion": {"limits": {kind: wish * 50}}}  # a key's own limit widens nothing
        with pytest.raises(
            openai.BadRequestError, match=f"limits.{kind}: at most 100" if kind != "usd" else "at most 1 "
        ):
            client(url, "secret-bob").chat.completions.create(**ASK, extra_body=wider)


def test_two_keys_never_share_a_cached_answer(provider):
    with served(panel("test/one", cache=True), callers=(caller("alice"), caller("bob"))) as url:
        cached = [
            client(url, f"secret-{who}").chat.completions.create(**ASK).fusion["cached"]
            for who in ("alice", "bob", "alice", "bob")
        ]
    assert cached == [False, False, True, True]
    assert len(provider.calls("test/one")) == 2


async def test_nor_a_run_that_is_under_way(provider):
    with served(panel("test/one", cache=True), callers=(caller("alice"), caller("bob"))) as url:
        async with async_client(url, "secret-alice") as alice, async_client(url, "secret-bob") as bob:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for client in (alice, bob)))
    assert len(provider.calls("test/one")) == 2


def test_metrics_are_by_the_keys_name_and_for_the_keys_that_may_read_them():
    everybody = (caller("alice"), caller("operator", metrics=True))
    with served(PANEL, callers=everybody) as url:
        client(url, "secret-alice").chat.completions.create(**ASK)
        with pytest.raises(openai.AuthenticationError):
            client(url, "secret-mallory").chat.completions.create(**ASK)
        page = metrics(url).text
        assert metrics(url, "alice").status_code == 403
    assert 'fusion_requests_total{code="ok",key="alice",model="fusion"} 1.0' in page
    assert 'fusion_runs_total{key="alice",status="ok"} 1.0' in page
    assert 'fusion_cost_usd_total{key="alice"} 0.25' in page
    assert "mallory" not in page
    assert "secret" not in page


@pytest.mark.parametrize("model", ["fusion", "fusion-agent"])
async def test_what_a_cancelled_run_had_spent_is_counted(provider, model):
    # The seat and the judge were paid for; whether the writer was is not known.
    provider.reply(WRITER, Hang())
    everybody = (caller("alice"), caller("operator", metrics=True))
    with served(panel("test/one", "test/two"), callers=everybody) as url:
        async with async_client(url, "secret-alice") as asking:
            asked = asyncio.create_task(asking.chat.completions.create(**ASK | {"model": model}))
            await provider.until(lambda: bool(provider.calls(WRITER)))
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            await provider.until(lambda: len(provider.disconnects) == 1)
            while 'code="client_left"' not in (page := metrics(url).text):  # noqa: ASYNC110 - for the same reason
                await asyncio.sleep(0)  # no event crosses HTTP
    spent = {"fusion": 0.25, "fusion-agent": 0.0}[model]
    assert f'fusion_cost_usd_total{{key="alice"}} {spent}' in page
    assert 'fusion_unpriced_calls_total{key="alice"}' in page
    assert 'fusion_unpriced_calls_total{key="alice"} 0.0' not in page
