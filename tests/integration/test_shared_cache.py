"""The response cache of several processes: they make one run of what all of them ask, whoever of them dies."""

from contextlib import suppress
from multiprocessing import Pipe

import pytest

from fusion_tool import FusionResult, afuse, astream
from fusion_tool.api import response_cache
from fusion_tool.cli import terminal
from fusion_tool.cli.output import print_report
from tests.integration import cached_runs, forked
from tests.integration.breaking import SEATS
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Gate, Hang, Reply, faults

pytestmark = pytest.mark.loopback
CONFIG = panel(*SEATS, cache=True)
RUN = len(SEATS) + 2
"""Calls of one run."""


@pytest.fixture(params=["sqlite", "postgres"], autouse=True)
def address(request, tmp_path, monkeypatch):
    """Processes share a home, or a database alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "postgres":
        monkeypatch.setenv("FUSION_DATABASE_URL", request.getfixturevalue("database"))
    return request.param


@pytest.fixture
def answers(provider):
    for seat in SEATS:
        provider.reply(seat, Reply("It was built in 1861."))
    provider.reply(JUDGE, Reply(verdict()))
    provider.reply(WRITER, Reply("In 1861."))
    return provider


class Runs:
    """So many runs at once in a process."""

    def __init__(self, count):
        self._receiver, sender = Pipe(duplex=False)
        self.process = forked.start(cached_runs.main, sender, CONFIG.model_dump_json(), count)
        sender.close()

    def results(self):
        """What they return, once they have ended; nothing where the process fails."""
        found = []
        with self._receiver, suppress(EOFError):
            assert self._receiver.poll(100)
            found = self._receiver.recv()
        self.process.join(100)
        return found


def test_four_identical_questions_in_two_processes_cost_one_run(answers):
    gate = Gate()
    answers.reply(SEATS[0], Reply("It was built in 1861.", gate=gate))
    both = [Runs(2), Runs(2)]
    answers.wait_until(lambda: answers.in_flight > 0, timeout=60)
    gate.open()
    results = [result for runs in both for result in runs.results()]
    assert sum(answers.counts.values()) == RUN
    assert sorted(result["cached"] for result in results) == [False, True, True, True]
    assert len({result["run_id"] for result in results}) == 1


def test_where_the_leaders_process_is_killed_another_makes_the_result(answers):
    answers.reply(SEATS[0], Hang())
    leader = Runs(1)
    answers.wait_until(lambda: answers.calls(SEATS[0]), timeout=60)
    follower = Runs(1)
    answers.reply(SEATS[0], Reply("It was built in 1861."))
    follower.process.join(3)
    assert follower.process.is_alive()  # it waits for the leader, and asks nobody
    before = sum(answers.counts.values())
    leader.process.kill()
    assert leader.results() == []
    (result,) = follower.results()
    assert not result["cached"]
    assert sum(answers.counts.values()) == before + RUN


def test_a_leader_that_fails_frees_those_who_wait(answers):
    for seat in SEATS:
        answers.reply(seat, faults.unauthorized(), Reply("It was built in 1861."))
    both = [Runs(1), Runs(1)]
    (result,) = [result for runs in both for result in runs.results()]
    assert sorted(runs.process.exitcode for runs in both) == [0, 1]
    assert result["answer"] == "In 1861."
    assert sum(answers.counts.values()) == len(SEATS) + RUN


@pytest.fixture
def no_store(address, tmp_path, monkeypatch):
    if address == "sqlite":
        (tmp_path / "cache").write_text("in its place")
    else:
        monkeypatch.setenv("FUSION_DATABASE_URL", "postgresql://nobody@/none?host=/nowhere")
    response_cache._failing.clear()


@pytest.mark.usefixtures("no_store")
async def test_a_store_that_is_gone_is_told_in_log_result_event_and_terminal_and_costs_no_answer(
    answers, caplog, capsys
):
    completed = [event async for event in astream(QUESTION, CONFIG)][-1]
    results = [await afuse(QUESTION, CONFIG), FusionResult.model_validate(completed["result"])]
    assert [(result.answer, result.status, result.degraded) for result in results] == [
        ("In 1861.", "ok", ["not_cached"])
    ] * 2
    print_report(results[0], terminal.stderr())
    assert "Degraded (status ok): not_cached" in capsys.readouterr().err
    assert sum(answers.counts.values()) == 2 * RUN
    warnings = [record.message for record in caplog.records if record.name == response_cache.__name__]
    assert [text.startswith("the response cache is left out, ") for text in warnings] == [True]
    assert all("; the response cache is left out, " in result.plan.reason for result in results)
