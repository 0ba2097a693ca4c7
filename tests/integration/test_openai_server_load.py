"""Many clients, clients that leave, and a server that is told to stop."""

import asyncio
import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx
import openai
import psutil
import pytest

from tests.integration.openai_server import async_client, client, command, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Gate, Hang, Reply

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")
ASK = {"model": "fusion", "messages": [user(QUESTION)]}
CLIENTS, PLACES, FEW = 200, 50, 3


@pytest.fixture(autouse=True)
def answers(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "In 1861.")


@pytest.mark.parametrize("stream", [False, True])
async def test_of_200_clients_50_are_served_and_none_hangs(provider, stream):
    gate = Gate()
    provider.reply("test/one", Reply("In 1861.", gate=gate))
    with served(panel("test/one", strategy="solo"), max_runs=PLACES) as url:
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(limits=limits, timeout=60) as asking:
            body = ASK | {"stream": stream}
            asked = [asyncio.create_task(asking.post(f"{url}/chat/completions", json=body)) for _ in range(CLIENTS)]
            refused = zip(range(CLIENTS - PLACES), asyncio.as_completed(asked), strict=False)
            first = [await reply for _, reply in refused]
            gate.open()
            replies = await asyncio.gather(*asked)
    assert {(reply.status_code, reply.headers["retry-after"]) for reply in first} == {(429, "5")}
    assert [reply.status_code for reply in replies].count(200) == PLACES
    assert all("In 1861." in reply.text for reply in replies if reply.status_code == 200)


async def test_the_client_library_waits_and_asks_again_when_the_server_is_full(provider, monkeypatch):
    monkeypatch.setattr("fusion_tool.servers.openai.errors._RETRY_AFTER", 0.05)
    gate = Gate()
    provider.reply("test/one", Reply("In 1861.", gate=gate), "In 1861.")
    with served(panel("test/one"), max_runs=1) as url:
        async with async_client(url) as patient:
            first = asyncio.create_task(patient.chat.completions.create(**ASK))
            await provider.until(lambda: provider.in_flight == 1)
            second = asyncio.create_task(patient.with_options(max_retries=50).chat.completions.create(**ASK))
            gate.open()
            replies = await asyncio.gather(first, second)
    assert [reply.choices[0].message.content for reply in replies] == ["In 1861."] * 2


STAGES = [pytest.param(SEATS, id="panel"), pytest.param((JUDGE,), id="judge"), pytest.param((WRITER,), id="writer")]


@pytest.mark.parametrize("silent", STAGES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_its_run(provider, silent, stream, monkeypatch):
    monkeypatch.setattr("fusion_tool.servers.openai.errors._RETRY_AFTER", 0.05)
    for model in silent:
        provider.reply(model, Hang())
    with served(panel(*SEATS), max_runs=1) as url:
        async with httpx.AsyncClient() as asking:
            asked = asyncio.create_task(asking.post(f"{url}/chat/completions", json=ASK | {"stream": stream}))
            await provider.until(lambda: all(provider.calls(model) for model in silent))
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        await provider.until(lambda: {left.model for left in provider.disconnects} == set(silent))
        assert provider.in_flight == 0
        for model in silent:
            provider.reply(model, verdict() if model == JUDGE else "In 1861.")
        async with async_client(url, max_retries=50) as next_one:  # its place is free again
            assert (await next_one.chat.completions.create(**ASK)).choices[0].message.content == "In 1861."


async def test_one_clients_leaving_is_nobody_elses_business(provider):
    gate = Gate()
    provider.reply("test/one", Reply("In 1861.", gate=gate))
    with served(panel("test/one")) as url:
        async with httpx.AsyncClient() as leaving, async_client(url) as staying:
            doomed = asyncio.create_task(leaving.post(f"{url}/chat/completions", json=ASK))
            stays = asyncio.create_task(staying.chat.completions.create(**ASK))
            await provider.until(lambda: provider.in_flight == 2)
            doomed.cancel()
            await provider.until(lambda: len(provider.disconnects) == 1)
            gate.open()
            assert (await stays).choices[0].message.content == "In 1861."


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fusion.toml"
    seats = ", ".join(f'"openrouter:{model}"' for model in SEATS)
    path.write_text(
        f'panel = [{seats}]\njudge = "openrouter:{JUDGE}"\nsynthesizer = "openrouter:{WRITER}"\n'
        'search = false\nbash = "off"\n',
        "utf-8",
    )
    return path


def events(response):
    lines = [line for line in response.iter_lines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_what_takes_longer_than_the_time_to_drain_is_cancelled_and_told(provider, file):
    provider.reply("test/one", Hang())
    with (
        command(file, "--drain-seconds", "1") as (process, url),
        httpx.stream("POST", f"{url}/chat/completions", json=ASK | {"stream": True}, timeout=30) as response,
    ):
        provider.wait_until(lambda: provider.in_flight == 1, timeout=30)
        process.send_signal(signal.SIGTERM)
        *_, last = events(response)
        assert last["error"]["code"] == "shutting_down"
        provider.wait_until(lambda: [left.model for left in provider.disconnects] == ["test/one"], timeout=30)
        assert process.wait(timeout=30) == -signal.SIGTERM
        assert "Traceback" not in process.stderr.read()


def test_workers_share_their_places_and_the_runs_of_one_that_was_killed_hold_none(provider, file):
    provider.reply("test/one", Hang())
    in_flight = re.compile(r"^fusion_runs_in_flight (.*)$", re.MULTILINE)
    options = ("--workers", "2", "--max-runs", str(FEW))
    with command(file, *options) as (process, url), ThreadPoolExecutor(4 * FEW) as pool:

        def runs_in_flight():
            return in_flight.findall(httpx.get(url.replace("/v1", "/metrics"), timeout=60).text)

        asked = [pool.submit(client(url).chat.completions.create, **ASK) for _ in range(4 * FEW)]
        ended = as_completed(asked)
        refused = [next(ended).exception() for _ in range(3 * FEW)]
        assert {type(error) for error in refused} == {openai.RateLimitError}
        provider.wait_until(lambda: provider.in_flight == FEW, timeout=30)
        assert runs_in_flight() == [f"{FEW}.0"]
        for child in psutil.Process(process.pid).children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
        assert {type(one.exception()) for one in ended} == {openai.APIConnectionError}
        while runs_in_flight() != ["0.0"]:
            pass
        provider.reply("test/one", "In 1861.")
        again = [pool.submit(client(url).chat.completions.create, **ASK) for _ in range(FEW)]
        assert [one.result().choices[0].message.content for one in again] == ["In 1861."] * FEW


@pytest.mark.usefixtures("provider")
def test_workers_end_with_the_process_that_began_them_though_it_was_killed(file):
    with command(file, "--workers", "2") as (process, url):
        assert client(url).chat.completions.create(**ASK).choices[0].message.content == "In 1861."
        process.kill()
        assert "Traceback" not in process.stderr.read()  # read to its end: no worker holds it any more
        with pytest.raises(httpx.ConnectError):
            httpx.get(url.replace("/v1", "/healthz"))


def test_workers_share_the_port_are_counted_together_and_finish_what_runs_on_sigterm(provider, file):
    with command(file, "--workers", "2", FUSION_SERVER_KEYS="one") as (process, url):
        for _ in range(4):
            assert client(url, "one").chat.completions.create(**ASK).choices[0].message.content == "In 1861."
        key = {"Authorization": "Bearer one"}
        page = httpx.get(url.replace("/v1", "/metrics"), headers=key).text
        assert 'fusion_runs_total{key="key-1",status="ok"} 4.0' in page
        gate = Gate()
        provider.reply("test/one", Reply("In 1861.", gate=gate))
        body = ASK | {"stream": True}
        with httpx.stream("POST", f"{url}/chat/completions", json=body, headers=key, timeout=30) as response:
            provider.wait_until(lambda: provider.in_flight == 1, timeout=30)
            process.send_signal(signal.SIGTERM)
            while True:  # the socket is closed at the next tick of the servers' clocks
                try:
                    httpx.get(url.replace("/v1", "/healthz"))
                except httpx.TransportError:
                    break
            assert process.poll() is None
            gate.open()
            *_, last = events(response)
        assert last["choices"][0]["finish_reason"] == "stop"
        assert process.wait(timeout=30) == 0
        assert "Traceback" not in process.stderr.read()
