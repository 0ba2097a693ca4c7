"""The synchronous faces: many times over, from threads, inside a running loop; and loops that come and go."""

import asyncio
import contextvars
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.tools import tool

from fusion_tool import FusionTool, PanelFailed, afuse, fuse
from fusion_tool.testing import ScriptedChat
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Hang, Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")
ANSWER = "It was built in 1861."

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, ANSWER)


def test_fuse_works_many_times_over():
    config = panel(*SEATS)
    results = [fuse(QUESTION, config) for _ in range(10)]
    assert {result.answer for result in results} == {ANSWER}
    assert len({result.run_id for result in results}) == 10


def test_fuse_works_from_threads_at_once():
    config = panel(*SEATS)
    with ThreadPoolExecutor(5) as threads:
        results = list(threads.map(lambda n: fuse(f"Question {n}?", config), range(10)))
    assert [result.question for result in results] == [f"Question {n}?" for n in range(10)]
    assert {len(result.responses) for result in results} == {2}


async def test_fuse_works_inside_a_running_loop():
    assert fuse(QUESTION, panel(*SEATS)).answer == ANSWER


async def test_the_tools_synchronous_face_works_inside_a_running_loop():
    assert ANSWER in FusionTool(panel(*SEATS)).invoke({"question": QUESTION})


def test_an_error_keeps_its_type_and_what_it_holds(provider):
    provider.otherwise(faults.unauthorized())
    with pytest.raises(PanelFailed) as failure:
        fuse(QUESTION, panel(*SEATS))
    assert [row["reason"] for row in failure.value.failed_models] == ["auth", "auth"]


def test_the_next_run_works_after_a_failed_one(provider):
    config = panel(*SEATS)
    provider.reply("test/one", faults.unauthorized(), "1861.")
    provider.reply("test/two", faults.unauthorized(), "1861.")
    with pytest.raises(PanelFailed):
        fuse(QUESTION, config)
    assert fuse(QUESTION, config).answer == ANSWER


def test_the_callers_context_variables_are_carried_along(provider):
    seen = []

    @tool
    async def who() -> str:
        """Say who asks."""
        seen.append(tenant.get())
        return tenant.get()

    provider.reply("test/one", Reply(tool_calls=[ToolCall("who", {})]), "1861.")
    context = contextvars.copy_context()
    context.run(tenant.set, "acme")
    context.run(fuse, QUESTION, panel(*SEATS), panel_tools=[who])
    assert seen == ["acme"]


def test_context_variables_of_two_threads_do_not_mix():
    def asked(name):
        def said(_):
            return f"{tenant.get()} asked."

        tenant.set(name)
        seat = {"model": ScriptedChat(replies=[said])}
        return fuse(QUESTION, panel("test/x", panel=[seat], strategy="solo")).answer

    with ThreadPoolExecutor(4) as threads:
        names = [f"tenant {n}" for n in range(8)]
        assert list(threads.map(asked, names)) == [f"{name} asked." for name in names]
    assert tenant.get() == "nobody"


def test_an_interrupt_cancels_the_run(provider):
    provider.otherwise(Hang())

    def interrupt():
        provider.wait_until(lambda: provider.in_flight == 2)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        fuse(QUESTION, panel(*SEATS))
    watcher.join()
    provider.wait_until(lambda: len(provider.disconnects) == 2)


def test_the_next_run_works_after_an_interrupted_one(provider):
    test_an_interrupt_cancels_the_run(provider)
    provider.otherwise("1861.")
    assert fuse(QUESTION, panel(*SEATS)).answer == ANSWER


def test_one_loop_after_another_works():
    config = panel(*SEATS)
    answers = [asyncio.run(afuse(QUESTION, config)).answer for _ in range(3)]
    assert answers == [ANSWER] * 3


def test_the_two_kinds_of_face_do_not_disturb_each_other():
    config = panel(*SEATS)
    answers = [fuse(QUESTION, config), asyncio.run(afuse(QUESTION, config)), fuse(QUESTION, config)]
    assert [result.answer for result in answers] == [ANSWER] * 3


def test_no_thread_is_left_behind_by_each_run():
    config = panel(*SEATS)
    fuse(QUESTION, config)
    before = threading.active_count()
    for _ in range(3):
        fuse(QUESTION, config)
    assert threading.active_count() == before


async def test_a_run_in_the_background_does_not_hold_up_the_callers_loop():
    """A synchronous face called in a thread leaves the caller's loop free."""
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    result = await asyncio.to_thread(fuse, QUESTION, panel(*SEATS))
    ticking.cancel()
    assert result.answer == ANSWER
    assert ticks > 10
