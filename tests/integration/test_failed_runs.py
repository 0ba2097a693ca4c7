"""What an agent reads of a run that failed: each kind of failure ends with what its model or its user can change."""

import pytest

from fusion_tool import FusionTool, Limits
from fusion_tool.errors import REASONS, PanelFailed
from fusion_tool.testing import ScriptedChat, fake_config
from fusion_tool.tools.sandbox.bubblewrap import Probe
from tests.integration.panel import QUESTION, panel
from tests.scripted_server import Hang, Reply, faults

NAME = "fusion_research"
SEATS = ("test/one", "test/two")
PRICED = "openrouter:anthropic/claude-opus-4.8"

CURES = {
    "rate_limited": "ask again in a minute, or configure fallbacks at another provider",
    "timeout": "ask a narrower question, or raise limits.seconds",
    "upstream_error": "ask again later, or configure fallbacks at another provider",
    "auth": "set the provider's key to a valid one with access to the model",
    "model_unavailable": "correct the model's name or address, or configure another model for the seat",
    "context_overflow": "shorten the question and its context",
    "refused": "put the question in other words, or configure models of other vendors",
    "empty": "ask again, or configure another model for the seat",
    "truncated": "ask a narrower question, or raise the seat's max_tokens",
    "tool_loop": "ask a narrower question, or raise max_tool_calls",
    "invalid_output": "ask again, or configure another model for the seat",
    "budget": "ask a narrower question, or raise the limit that is named",
    "straggler": "raise limits.grace_seconds, or limits.quorum",
    "cancelled": "ask again",
}


async def read(tool, question=QUESTION, **more):
    """The message that an agent reads of a failed call."""
    call = {"type": "tool_call", "name": NAME, "args": {"question": question, **more}, "id": "call-1"}
    message = await tool.ainvoke(call)
    assert (message.status, message.artifact) == ("error", None)
    assert len(message.content.splitlines()) == 1
    return message.content


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_a_seat_has_its_cure(reason):
    row = {"seat": "a", "model": "x:a", "reason": reason, "message": "m", "status_code": None}
    assert str(PanelFailed([row, row | {"seat": "b"}])).endswith(f"(a {reason}: m; b {reason}: m); {CURES[reason]}")


def test_different_reasons_have_each_their_cure_once():
    rows = [
        {"seat": seat, "model": "x", "reason": reason, "message": "m", "status_code": status}
        for seat, reason, status in (("a", "auth", 401), ("b", "budget", 402), ("c", "auth", 403))
    ]
    assert str(PanelFailed(rows)).endswith(f"); {CURES['auth']}; top up the account at the provider")


FAULTS = {
    "auth": (faults.unauthorized(), "(its key is in OPENROUTER_API_KEY); ", CURES["auth"]),
    "no money": (faults.no_credit(), "one budget: ", "top up the account at the provider"),
    "withdrawn": (faults.withdrawn("test/one"), "one model_unavailable: ", CURES["model_unavailable"]),
    "too long": (faults.context_overflow(), "one context_overflow: ", CURES["context_overflow"]),
    "empty": (Reply(""), "one empty: ", CURES["empty"]),
    "silent": (Hang(), "one timeout: ", CURES["timeout"]),
}


@pytest.mark.loopback
@pytest.mark.parametrize(("fault", "cause", "cure"), FAULTS.values(), ids=FAULTS)
async def test_a_provider_that_fails(provider, fault, cause, cure):
    provider.otherwise(fault)
    limits = {"seconds": 1} if isinstance(fault, Hang) else {}
    told = await read(FusionTool(panel(*SEATS, limits=limits)))
    assert told.startswith("PanelFailed: no usable answer from the panel (one ")
    assert cause in told
    assert told.endswith(f"; {cure}")


async def test_limits_that_are_too_small_name_one_that_is_not():
    seat = {"model": ScriptedChat(replies=["It is."], model_name=PRICED)}
    roles = {"panel": [seat, seat], "judge": seat, "synthesizer": seat}
    told = await read(FusionTool(fake_config(**roles, limits={"usd": 0.0001})))
    assert told.startswith("BudgetExceeded: limits.usd: the run needs at least ")
    least = float(told.partition("raise it to ")[2].partition(" or more")[0])
    message = await FusionTool(fake_config(**roles, limits={"usd": least})).ainvoke(
        {"type": "tool_call", "name": NAME, "args": {"question": QUESTION}, "id": "call-1"}
    )
    assert message.status == "success"


async def test_a_session_that_is_used_up():
    told = await read(FusionTool(fake_config(), session_limits=Limits(seconds=0.5)))
    assert told.startswith(
        "BudgetExceeded: session_limits.seconds: the run needs at least 1, 0.5 is left; raise it, or "
    )


SETTINGS = {
    "question": ({}, {"question": ""}, "ConfigError: question: is empty; ask something"),
    "continues": ({}, {"continues": "x"}, "there is none yet: leave it out"),
    "unpriced": ({"limits": {"usd": 1}, "allow_unpriced": False}, {}, "set allow_unpriced = true to run it"),
    "documents": ({"documents": "empty"}, {}, "; correct documents.path, or leave documents out"),
    "key": ({"search": {"providers": ["tavily"]}}, {}, "TAVILY_API_KEY"),
}


@pytest.mark.parametrize(("settings", "call", "cure"), SETTINGS.values(), ids=SETTINGS)
async def test_a_configuration_that_cannot_work(tmp_path, monkeypatch, settings, call, cure):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    (tmp_path / "empty").mkdir()
    told = await read(FusionTool(fake_config(**settings)), **call)
    assert told.startswith("ConfigError: ")
    assert cure in told


async def test_a_shell_that_is_required_and_missing(monkeypatch):
    async def missing():
        return Probe(works=False, detail="bubblewrap is missing: install it", bwrap=None)

    monkeypatch.setattr("fusion_tool.tools.build.probe", missing)
    told = await read(FusionTool(fake_config(bash="sandbox")))
    assert told.startswith("SandboxUnavailable: bash = 'sandbox' is required: ")
    assert told.endswith("install it; or set bash = 'auto' to do without")


@pytest.mark.usefixtures("in_seat")
async def test_a_panel_inside_a_panel():
    told = await read(FusionTool(fake_config()))
    assert told.startswith("RecursionRefused: ")
    assert told.endswith("take fusion_research out of panel_tools")
