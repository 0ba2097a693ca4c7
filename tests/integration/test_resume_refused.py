"""Runs that are not resumed, or not so: another configuration, another process at work, nothing there."""

import asyncio
import sys

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from fusion_tool import ConfigError, PanelFailed, afuse
from fusion_tool.api.stored_runs import list_runs
from tests.integration.breaking import SEATS, broken_off, script_answers
from tests.integration.panel import QUESTION, WRITER, panel, verdict
from tests.scripted_server import Gate, Reply, faults

pytestmark = pytest.mark.loopback


@pytest.fixture
def file(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture(autouse=True)
def answers(provider):
    script_answers(provider)


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"limits": {"usd": 3.0}}, "limits.usd"),
        ({"judge": f"openrouter:{WRITER}"}, "judge.model"),
        ({"panel": tuple(f"openrouter:{seat}" for seat in SEATS[:2])}, "panel"),
        ({"excluded_domains": ["example.org"]}, "excluded_domains"),
    ],
)
async def test_another_configuration_is_refused(provider, file, other, field):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    before = provider.counts
    with pytest.raises(ConfigError, match=r"started with") as refused:
        await afuse(None, panel(*SEATS), resume=run_id, keep=file, allow_unpriced=True, **other)
    assert refused.value.field in (field, "allow_unpriced")
    with pytest.raises(ConfigError) as refused:
        await afuse(None, panel(*SEATS, **other), resume=run_id, keep=file)
    assert refused.value.field == field
    assert "\n" not in str(refused.value)
    assert provider.counts == before


async def test_the_same_configuration_is_taken(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    assert (await afuse(None, panel(*SEATS), resume=run_id, keep=file)).status == "ok"


async def test_a_model_object_is_never_stored_and_must_be_given_again(provider, file):
    judge = FakeListChatModel(responses=[verdict()], metadata={"authorization": "Bearer topsecret"})
    config = panel(*SEATS, judge=judge)
    run_id = await broken_off(provider, file, config, silent=["test/three"])
    assert b"topsecret" not in b"".join(path.read_bytes() for path in file.parent.iterdir())
    with pytest.raises(ConfigError, match=r"judge.model: .*FakeListChatModel.* object") as refused:
        await afuse(resume=run_id, keep=file)
    assert refused.value.field == "judge.model"
    assert (await afuse(None, config, resume=run_id, keep=file)).status == "ok"


async def test_a_run_that_is_worked_on_is_left_alone(provider, file):
    """Two processes that resume one run do not both pay."""
    gate = Gate()
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    provider.reply("test/three", Reply("At last.", gate=gate))
    first = asyncio.create_task(afuse(resume=run_id, keep=file))
    await provider.until(lambda: provider.counts["test/three"] == 2)
    code = (
        "import sys; from pathlib import Path; from fusion_tool import fuse\n"
        "try: fuse(resume=sys.argv[1], keep=Path(sys.argv[2]))\n"
        "except Exception as error: print(type(error).__mro__[1].__name__, error)"
    )
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, run_id, str(file), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await second.communicate()
    assert said.decode().strip() == f"ConfigError resume: run {run_id} is being worked on by another process"
    gate.open()
    assert len((await first).responses) == 3
    assert provider.counts["test/three"] == 2


@pytest.mark.parametrize("run_id", ["0" * 32, "../../etc/passwd", ""])
async def test_an_unknown_run_is_named(file, run_id):
    with pytest.raises(ConfigError, match="no run"):
        await afuse(resume=run_id, keep=file)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_question_or_a_run_not_both(file):
    with pytest.raises(ConfigError, match="question"):
        await afuse(QUESTION, resume="0" * 32, keep=file)


async def test_a_missing_key_is_told_before_a_seat_is_lost_to_it(provider, file, monkeypatch):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    monkeypatch.delenv("OPENROUTER_API_KEY")
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY"):
        await afuse(resume=run_id, keep=file)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-1")
    assert len((await afuse(resume=run_id, keep=file)).responses) == 3


async def test_a_run_refused_at_its_start_leaves_nothing(file):
    with pytest.raises(ConfigError):
        await afuse(" ", panel(*SEATS), keep=file)
    assert await list_runs(file) == []


async def test_a_panel_that_failed_is_no_run_to_resume(provider, file):
    provider.otherwise(faults.unauthorized())
    for seat in SEATS:
        provider.reply(seat, faults.unauthorized())
    with pytest.raises(PanelFailed):
        await afuse(QUESTION, panel(*SEATS), keep=file)
    (run,) = await list_runs(file)
    assert run.status == "failed"
    before = provider.counts
    with pytest.raises(PanelFailed):
        await afuse(resume=run.id, keep=file)
    assert provider.counts == before
