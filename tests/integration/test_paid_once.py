"""A question is paid for once: what failed after a model was asked is not asked again, by any client.

Real clients with their own retries, and the calls that the scripted provider counts.
"""

from contextlib import contextmanager
from functools import partial
from itertools import cycle

import httpx
import pytest

from fusion_tool import PanelFailed, fuse
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.openai.errors import ApiError
from tests.integration.openai_server import served, user
from tests.integration.panel import QUESTION, panel
from tests.integration.real_clients import (
    needs_node_clients,
    needs_python_clients,
    run_node_client,
    run_python_client,
)
from tests.scripted_server import Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")
python = partial(pytest.param, run_python_client, marks=needs_python_clients)
node = partial(pytest.param, run_node_client, marks=needs_node_clients)


@pytest.fixture
def refusals(monkeypatch):
    """Every request is refused once before it may begin."""
    statuses = cycle((429, None))

    @contextmanager
    def acquire(_):
        if status := next(statuses):
            raise ApiError("not now", status=status)
        yield

    monkeypatch.setattr(RunSlots, "acquire", acquire)
    monkeypatch.setattr("fusion_tool.servers.openai.errors._RETRY_AFTER", 1)


@pytest.mark.usefixtures("refusals")
@pytest.mark.parametrize(
    ("run", "command"),
    [
        python(["openai_chat.py"], id="openai (Python)"),
        python(["langchain_chat.py"], id="langchain-openai"),
        python(["litellm_chat.py"], id="litellm and its router"),
        node(["openai_chat.mjs"], id="openai (npm)"),
        node(["ai_chat.mjs"], id="AI SDK"),
        node(["ai_chat.mjs", "compatible"], id="AI SDK, compatible"),
        node(["ai_chat.mjs", "responses"], id="AI SDK, responses"),
        node(["langchain_chat.mjs"], id="LangChain JS"),
    ],
)
def test_a_client_comes_back_before_anything_is_spent_and_a_failed_question_costs_one_run(provider, run, command):
    provider.reply("test/one", Reply(""))  # billed
    provider.reply("test/two", faults.unauthorized())  # not billed
    provider.reply("test/three", faults.rate_limited(0))  # tried again inside the run
    config = panel(*SEATS)
    with pytest.raises(PanelFailed):
        fuse(QUESTION, config)
    one_run = dict(provider.counts)
    with served(config) as url:
        outcomes = run(command[0], url, *command[1:], seconds=120)
    assert [outcome["error"] for outcome in outcomes if "no usable answer" not in outcome["error"]] == []
    assert provider.counts == {model: count * (1 + len(outcomes)) for model, count in one_run.items()}


MAIN = "test/main"
RESEARCH = Reply(tool_calls=[ToolCall("fusion_research", {"question": QUESTION})])


@pytest.mark.parametrize("is_first_call", [True, False])
def test_a_main_model_that_fails_was_paid_for(provider, is_first_call):
    provider.reply(MAIN, *([] if is_first_call else [RESEARCH]), faults.rate_limited(0))
    config = panel(*SEATS, synthesizer=f"openrouter:{MAIN}", strategy="solo")
    with served(config) as url:
        body = {"model": "fusion-agent", "messages": [user(QUESTION)]}
        response = httpx.post(f"{url}/chat/completions", json=body, timeout=60)
    error = response.json()["error"]
    assert (response.status_code, response.headers["x-should-retry"]) == (400, "false")
    # The AI SDK repeats a stream's error whose code speaks of a rate limit.
    assert (error["code"], error["reason"]) == ("model_failed", "throttled")
