"""Runs in the shared database: resumed elsewhere, by one of many, over its restarts; for a client that comes again."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import openai
import psycopg
import pytest

from fusion_tool import afuse
from fusion_tool.api.stored_runs import list_runs
from tests.integration import forked, kept_run
from tests.integration.breaking import COST, SEATS, script_answers, wait_for
from tests.integration.callers import caller
from tests.integration.openai_server import client, command, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.postgres import Postgres
from tests.scripted_server import Gate, Hang, Reply

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]
SLOW = 120.0
"""Seconds within which a process has started on a machine that is busy."""


@pytest.fixture(autouse=True)
def answers(provider):
    script_answers(provider)


def killed_before_its_judge(database, home):
    """The id of a run of another home that a SIGKILL ended where its judge would begin."""
    config = panel(*SEATS).model_dump_json()
    process = forked.start(kept_run.main, database, config, "judge", XDG_DATA_HOME=str(home))
    process.join(SLOW)
    assert process.exitcode == -signal.SIGKILL
    (run,) = asyncio.run(list_runs(database))
    return run.id


def test_a_killed_run_is_finished_under_another_home_with_only_what_is_missing(provider, database, tmp_path):
    run_id = killed_before_its_judge(database, tmp_path)
    before = provider.counts
    result = asyncio.run(afuse(resume=run_id, keep=database))
    assert provider.counts - before == Counter({JUDGE: 1, WRITER: 1})
    assert (result.run_id, result.status, result.degraded) == (run_id, "ok", [])
    assert len(result.usage.calls) == sum(provider.counts.values()) == 5


@pytest.mark.parametrize("processes", [2, 10])
def test_of_many_processes_that_race_to_resume_a_run_one_pays(provider, database, tmp_path, processes):
    run_id, gate = killed_before_its_judge(database, tmp_path), Gate()
    provider.reply(JUDGE, Reply(verdict(), cost=COST, gate=gate))
    race = [sys.executable, "-m", "tests.integration.racing", database, run_id, str(processes)]
    with subprocess.Popen(race, stdout=subprocess.PIPE, text=True) as racing:
        assert racing.stdout
        # All but the one at work have been told before it goes on.
        lines = [racing.stdout.readline() for _ in range(processes - 1)]
        gate.open()
        lines.append(racing.stdout.readline())
    assert [line.strip() for line in lines if "being worked on" not in line] == ["In 1861."]
    assert provider.counts == Counter([*SEATS, JUDGE, WRITER])
    assert len(asyncio.run(afuse(resume=run_id, keep=database)).usage.calls) == 5


@pytest.mark.parametrize("returns", [True, False], ids=["restarts", "stays away"])
async def test_a_run_outlives_its_database_and_says_what_was_lost(provider, returns, caplog, monkeypatch):
    monkeypatch.setattr("fusion_tool.api.postgres_runs._PATIENCE_SECONDS", SLOW if returns else 0.5)
    server, gate = Postgres().start(), Gate()
    provider.reply(JUDGE, Reply(verdict(), cost=COST, gate=gate))
    try:
        address = server.address()
        asked = asyncio.create_task(afuse(QUESTION, panel(*SEATS), keep=address))
        await provider.until(lambda: provider.calls(JUDGE), SLOW)
        await asyncio.to_thread(server.kill)
        if returns:
            await asyncio.to_thread(server.start)
        gate.open()
        result = await asked
        assert (result.answer, result.status) == ("In 1861.", "ok")
        assert result.degraded == ([] if returns else ["not_kept"])
        assert provider.counts == Counter([*SEATS, JUDGE, WRITER])
        if returns:
            assert await afuse(resume=result.run_id, keep=address) == result
        else:
            assert f"run {result.run_id} goes on, and is not kept from here on" in caplog.text
    finally:
        await asyncio.to_thread(server.remove)


def kept_records(database):
    """How many seats' records have reached the database; `route` writes there too."""
    with psycopg.connect(database, options="-c search_path=fusion_tool") as connection:
        found = connection.execute("SELECT count(*) FROM checkpoint_writes WHERE channel = 'records'").fetchone()
    return found[0] - 1


def ask(url, key, text=QUESTION, who="ada"):
    headers = {"Idempotency-Key": key}
    return client(url, f"secret-{who}", timeout=SLOW).chat.completions.create(
        model="fusion", messages=[user(text)], extra_headers=headers
    )


def test_a_client_that_comes_again_with_its_key_gets_that_run_and_nobody_elses(provider, database, monkeypatch):
    monkeypatch.setenv("FUSION_DATABASE_URL", database)
    with served(panel(*SEATS), callers=(caller("ada"), caller("eve"))) as url:
        first, once = ask(url, "order 7"), provider.counts
        again = ask(url, "order 7")
        assert provider.counts == once
        assert again.fusion["run_id"] == first.fusion["run_id"]
        assert again.choices[0].message.content == first.choices[0].message.content == "In 1861."
        assert again.usage == first.usage
        with pytest.raises(openai.BadRequestError, match="another question"):
            ask(url, "order 7", "When was the Birch mill built?")
        assert provider.counts == once
        other = ask(url, "order 7", who="eve")
        assert other.fusion["run_id"] != first.fusion["run_id"]
        assert ask(url, "order 8").fusion["run_id"] != first.fusion["run_id"]
    assert sum(provider.counts.values()) == 3 * sum(once.values())


def test_two_requests_at_once_with_one_key_are_one_run(provider, database, monkeypatch):
    monkeypatch.setenv("FUSION_DATABASE_URL", database)
    gate = Gate()
    provider.reply(JUDGE, Reply(verdict(), cost=COST, gate=gate))

    async def both(url):
        asked = [asyncio.create_task(asyncio.to_thread(ask, url, "order 7")) for _ in range(2)]
        await provider.until(lambda: provider.calls(JUDGE), SLOW)
        gate.open()
        return await asyncio.gather(*asked)

    with served(panel(*SEATS), callers=(caller("ada"),)) as url:
        first, second = asyncio.run(both(url))
    assert first.fusion["run_id"] == second.fusion["run_id"]
    assert provider.counts == Counter([*SEATS, JUDGE, WRITER])


@pytest.mark.parametrize("silent", [SEATS[-1], JUDGE, WRITER])
def test_a_killed_servers_run_is_finished_after_its_restart_and_billed_once(provider, database, tmp_path, silent):
    file = tmp_path / "fusion.toml"
    seats = ", ".join(f'"openrouter:{seat}"' for seat in SEATS)
    file.write_text(
        f'panel = [{seats}]\njudge = "openrouter:{JUDGE}"\nsynthesizer = "openrouter:{WRITER}"\n'
        f'search = false\nbash = "off"\ndatabase = "{database}"\n'
    )
    answer = Reply(verdict() if silent == JUDGE else "In 1861.", cost=COST)
    provider.reply(silent, Hang())
    with command(file) as (server, url), ThreadPoolExecutor() as elsewhere:
        asked = elsewhere.submit(ask, url, "order 7")
        provider.wait_until(lambda: provider.calls(silent), SLOW)
        wait_for(lambda: kept_records(database) >= len(set(SEATS) - {silent}), SLOW)
        server.kill()
        assert isinstance(asked.exception(), openai.APIConnectionError)
    provider.reply(silent, answer)
    with command(file) as (_, url):
        result = ask(url, "order 7").fusion
        ask(url, "order 7")
    (run,) = asyncio.run(list_runs(database))
    assert (run.id, run.status) == (result["run_id"], "finished")
    assert provider.counts == Counter([*SEATS, JUDGE, WRITER, silent])
    assert (len(run.usage.calls), run.usage.unpriced_calls) == (6, 1)
