"""Aegra serves the graphs of `langgraph.json`: what a process that is killed had begun is done by another one."""

from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from langgraph_sdk import get_client

from fusion_tool import FusionResult
from fusion_tool.models import facts
from tests.integration.aegra_server import aegra, migrate, redis, require_aegra
from tests.integration.dev_server import free_ports
from tests.integration.panel import verdict
from tests.integration.trials import remember_trials
from tests.scripted_server import Gate, Reply, ScriptedServer

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

RUNS = 6
CONFIGURED = """
health = false
search = false
bash = "off"
panel = [{{model = "one", base_url = "{url}"}}, {{model = "two", base_url = "{url}"}}]
judge = {{model = "judge", base_url = "{url}"}}
synthesizer = {{model = "writer", base_url = "{url}"}}
"""


@pytest.fixture
def home(scripted: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's home."""
    require_aegra()
    folder = tmp_path / ".config" / "fusion-tool"
    folder.mkdir(parents=True)
    (folder / "fusion.toml").write_text(CONFIGURED.format(url=scripted.url), "utf-8")
    monkeypatch.setattr(facts, "data_path", (tmp_path / ".local" / "share" / "fusion-tool").joinpath)
    remember_trials(scripted.url, "one", "two", "judge", "writer")
    return tmp_path


async def test_it_serves_the_graphs_and_does_what_a_killed_process_had_begun(home, scripted, database):
    gate = Gate()
    scripted.otherwise("In 1861.")
    scripted.reply("judge", Reply(verdict(), gate=gate))
    ports = free_ports(2)
    with redis() as redis_url, aegra(home, ports, database, redis_url, jobs=RUNS // 2) as processes:
        async with get_client(url=f"http://127.0.0.1:{ports[1]}", api_key=None) as client:
            begun = [await begin(client, f"When, {i}?") for i in range(RUNS)]
            await scripted.until(lambda: len(scripted.calls("judge")) == RUNS, timeout=60)  # half of them in each
            processes[0].kill()
            await scripted.until(lambda: len(scripted.disconnects) == RUNS // 2, timeout=60)
            gate.open()
            ended = [await client.runs.join(*run) for run in begun]
            assert {FusionResult.model_validate(state["result"]).status for state in ended} == {"ok"}
            # What a seat had answered before its process was killed is in the checkpoint.
            calls = {model: len(scripted.calls(model)) for model in ("one", "two", "judge")}
            assert calls == {"one": RUNS, "two": RUNS, "judge": RUNS + RUNS // 2}

            misspelt = await begin(client, "When?", context={"modles": ["one"]})
            with suppress(httpx.HTTPError):
                await client.runs.join(*misspelt)
            assert (await client.runs.get(*misspelt))["status"] == "error"


def test_all_tables_are_made_before_a_process_begins(home, database):
    migrate(home, database)
    with psycopg.connect(database) as connection:
        made = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    # Aegra's own, and LangGraph's: processes that made them at once would fail, all but one.
    assert {"runs", "checkpoints", "checkpoint_writes", "store"} <= made


async def begin(client, question, **options):
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "fusion", input={"question": question}, **options)
    return thread, run["run_id"]
