"""`serve` with workers that are killed in the midst of runs: what the provider counted is billed, no budget passed."""

import asyncio
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import openai
import psutil
import pytest

from fusion_tool.api.stored_runs import list_runs
from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.config.system import utc_day
from tests.integration.callers import keys_file
from tests.integration.charging import Till, said
from tests.integration.openai_server import client, command, user
from tests.integration.panel import QUESTION, text
from tests.integration.test_shared_runs import kept_records
from tests.scripted_server import Gate, Reply, ToolCall, Usage
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback
MODEL = "anthropic/claude-opus-4.8"
ROLE = f'{{ model = "openrouter:{MODEL}", max_tokens = 2000 }}'
A_RUN, A_DAY = 0.8, 6.0
SEAT, TOOL_ROUND, JUDGE, WRITER, ANSWERED = POINTS = ("seat", "tool round", "judge", "writer", "answered")


class Provider:
    """Charges for every call that begins, and holds the one at which the worker shall die."""

    def __init__(self, scripted):
        self.till = Till()
        self.begin(None)
        scripted.otherwise(self.answer)

    def begin(self, held):
        """A new run, of which the first call of the kind `held` is not answered."""
        self.held, self.gate, self.held_usd = held, Gate(), None
        self.before = len(self.till.charges)

    @property
    def charges(self):
        """US dollars of each call of the run."""
        return [charge.usd for charge in self.till.charges[self.before :]]

    def answer(self, request):
        kind = TOOL_ROUND if request.tool_results else SEAT if request.tools else JUDGE
        kind = WRITER if " begin comparison" in request.prompt else kind
        charge, gate = self.till._charge(request), None
        if kind == self.held and self.held_usd is None:
            self.held_usd, gate = charge.usd, self.gate
        calls = [ToolCall("web_search", {"query": QUESTION})] if kind == SEAT else []
        usage = Usage(charge.prompt, charge.answer)
        return Reply("" if calls else said(request), tool_calls=calls, usage=usage, cost=charge.usd, gate=gate)


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


def send(url, word):
    """A request whose answer nobody reads, as a connection."""
    body = json.dumps({"model": "fusion", "messages": [user(QUESTION)]}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nauthorization: Bearer secret-alice\r\n"
        f"idempotency-key: {word}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port))
    connection.sendall(head.encode() + body)
    return connection


def kill_workers(server):
    for child in psutil.Process(server.pid).children():
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()


@pytest.mark.timeout(400)  # eleven processes begin
def test_workers_killed_at_five_points_bill_what_was_counted_and_pass_no_budget(provider, internet, database, tmp_path):
    charging = Provider(provider)
    internet.page("/0", text("The Alder mill was built in 1861."))
    internet.hits(Hit(internet.url("/0"), "The mill", "built in 1861"))
    file = tmp_path / "fusion.toml"
    file.write_text(
        f'panel = [{ROLE}, {ROLE}]\njudge = {ROLE}\nsynthesizer = {ROLE}\nbash = "off"\ndatabase = "{database}"\n'
        f'[search]\nproviders = ["searxng"]\n[fetch]\nallowed_private_hosts = ["127.0.0.1:{internet.port}"]\n'
        "[limits]\nseconds = 20\n",
        "utf-8",
    )
    keys = str(keys_file(tmp_path, "alice", terms=f"usd_a_day = {A_DAY}\nlimits.usd = {A_RUN}"))

    def is_reached(point):
        if point == ANSWERED:
            return asyncio.run(list_runs(database))[0].status == "finished" and len(charging.charges) == 6
        # The other seat is done: of a call that had begun, and was not sent yet, the provider would know nothing.
        return charging.held_usd is not None and (point not in {SEAT, TOOL_ROUND} or kept_records(database) >= 1)

    def counted():
        seen = asyncio.run(PostgresBudgets(database).balance(f"key alice {utc_day()}"))
        assert charging.till.usd <= seen.spent.usd + seen.reserved.usd + 1e-9
        assert seen.spent.usd + seen.reserved.usd <= A_DAY + 1e-9
        return seen

    with command(file, "--workers", "2", "--keys", keys) as (server, url):
        asking = client(url, "secret-alice", timeout=60).chat.completions

        def ask(**headers):
            return asking.create(model="fusion", messages=[user(QUESTION)], extra_headers=headers).fusion

        def spend_all():
            for _ in range(20):
                assert ask()["run_id"]
                counted()

        for point in POINTS:
            charging.begin(point)
            with send(url, f"order at {point}"):
                wait_until(lambda point=point: is_reached(point))
                kill_workers(server)
            charging.gate.open()
            wait_until(lambda: is_up(url))
            counted()
            usage = ask(**{"Idempotency-Key": f"order at {point}"})["usage"]
            known = [row["cost_usd"] for row in usage["calls"] if row["cost_usd"] is not None]
            assert (point, len(usage["calls"])) == (point, len(charging.charges))
            assert usage["unpriced_calls"] == (point != ANSWERED)
            assert sum(known) == pytest.approx(sum(charging.charges) - (charging.held_usd or 0))
            counted()
        # What those that died had reserved is not there to be spent once more.
        assert sum(amounts.usd for amounts in counted()) >= 4 * A_RUN
        charging.begin(None)
        with pytest.raises(openai.APIStatusError) as refused:
            spend_all()
        assert refused.value.status_code in {402, 429}
        assert charging.till.usd <= A_DAY
