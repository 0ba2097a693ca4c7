"""`serve` with two workers that are killed in the midst of runs: no budget is passed, whatever becomes of the runs."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import psutil
import pytest

from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.config.system import utc_day
from tests.integration.callers import keys_file
from tests.integration.charging import Till, said
from tests.integration.openai_server import client, command, user
from tests.integration.panel import QUESTION
from tests.scripted_server import Gate, Reply, Usage

pytestmark = pytest.mark.loopback
MODEL = "anthropic/claude-opus-4.8"
ROLE = f'{{ model = "openrouter:{MODEL}", max_tokens = 400 }}'
A_RUN, A_DAY = 0.15, 1.2
SEAT, JUDGE, WRITER = 1, 3, 4
"""Which call of a run reaches the provider when: two seats, the judge, the writer."""


class Provider:
    """Charges for every call that begins, and holds the one at which the worker shall die."""

    def __init__(self, scripted):
        self.till, self.scripted = Till(), scripted
        self.begin(None)
        scripted.otherwise(self.answer)

    def begin(self, held):
        """A new run, whose call number `held` is not answered."""
        self.calls, self.held, self.gate = 0, held, Gate()

    def answer(self, request):
        self.calls += 1
        charge = self.till._charge(request)
        gate = self.gate if self.calls == self.held else None
        return Reply(said(request), usage=Usage(charge.prompt, charge.answer), cost=charge.usd, gate=gate)


def wait_until(happened, seconds=60.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def is_up(url):
    try:
        return httpx.get(url.replace("/v1", "/healthz"), timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.timeout(400)  # eleven processes begin
def test_workers_killed_at_five_points_pass_no_budget(provider, database, tmp_path):
    charging = Provider(provider)
    file = tmp_path / "fusion.toml"
    file.write_text(
        f'panel = [{ROLE}, {ROLE}]\njudge = {ROLE}\nsynthesizer = {ROLE}\nsearch = false\nbash = "off"\n'
        "[limits]\nseconds = 20\n",
        "utf-8",
    )
    keys = str(keys_file(tmp_path, "alice", terms=f"usd_a_day = {A_DAY}\nlimits.usd = {A_RUN}"))

    def balance():
        return asyncio.run(PostgresBudgets(database).balance(f"key alice {utc_day()}"))

    def ask(url):
        asking = client(url, "secret-alice", timeout=60).chat.completions
        try:
            return asking.create(model="fusion", messages=[user(QUESTION)]).choices[0].message.content
        except openai.APIStatusError as refused:
            return refused.status_code
        except openai.APIConnectionError:
            return None

    def counted():
        seen = balance()
        assert charging.till.usd <= seen.spent.usd + seen.reserved.usd + 1e-9
        assert seen.spent.usd + seen.reserved.usd <= A_DAY + 1e-9
        return seen

    with (
        command(file, "--workers", "2", "--keys", keys, FUSION_DATABASE_URL=database) as (server, url),
        ThreadPoolExecutor(1) as pool,
    ):
        points = {
            "reserved": (None, lambda: balance().reserved.usd > lost + 1e-9),
            "a seat is asked": (SEAT, lambda: charging.calls >= SEAT),
            "the judge is asked": (JUDGE, lambda: charging.calls >= JUDGE),
            "the writer is asked": (WRITER, lambda: charging.calls >= WRITER),
            "the writer answered": (None, lambda: charging.calls >= WRITER and provider.in_flight == 0),
        }
        for held, is_reached in points.values():
            lost = counted().reserved.usd
            charging.begin(held)
            asked = pool.submit(ask, url)
            wait_until(is_reached)
            for child in psutil.Process(server.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):  # a worker
                    child.kill()
            asked.result()
            charging.gate.open()
            wait_until(lambda: is_up(url))
            counted()
        # The runs are lost; what they had reserved is not there to be spent once more. The last may have settled.
        assert sum(amounts.usd for amounts in counted()) >= 4 * A_RUN
        charging.begin(None)
        outcomes = []
        while (outcome := ask(url)) not in (402, 429):
            outcomes.append(outcome)
            counted()
        assert {type(outcome) for outcome in outcomes} == {str}
        assert charging.till.usd <= A_DAY
