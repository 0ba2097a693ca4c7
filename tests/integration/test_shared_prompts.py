"""What comes first in a prompt is what seats and runs share, so that a server's prompt cache serves."""

from pathlib import Path

import pytest

from fusion_tool import Panelist, afuse
from tests.integration.panel import JUDGE, QUESTION, WRITER, nonce, panel, verdict

pytestmark = pytest.mark.loopback

ONE, TWO = "test/one", "test/two"
MILL = "The Alder mill was built in 1861. It burned down in 1904."


def rules(request) -> str:
    """The system message."""
    return str(request.messages[0]["content"])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "mill.md").write_text(MILL, "utf-8")
    return tmp_path


async def test_two_runs_share_their_rules_to_the_last_line(provider, documents):
    for model in (ONE, TWO, WRITER):
        provider.reply(model, "The Alder mill was built in 1861.")
    provider.reply(JUDGE, verdict())
    for question in (QUESTION, "Who owned the mill in Brook Lane?"):
        await afuse(question, panel(ONE, TWO, documents=documents))
    for model in (ONE, JUDGE, WRITER):
        first, *_ = provider.calls(model)
        other = next(call for call in provider.calls(model) if nonce(call) != nonce(first))
        *lines, last = rules(first).splitlines(keepends=True)
        assert nonce(first) in last
        assert rules(other).startswith("".join(lines)), model


async def test_seats_over_the_same_evidence_share_all_of_their_prompt(provider, documents):
    seats = [Panelist(model=f"openrouter:{model}", max_input_tokens=8192) for model in (ONE, TWO)]
    for model in (ONE, TWO):
        provider.reply(model, "I do not look.", "Built in 1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "Built in 1861.")
    await afuse(QUESTION, panel(panel=tuple(seats), documents=documents))
    one, two = (provider.calls(model)[-1].prompt for model in (ONE, TWO))
    assert MILL in one
    assert one == two
    assert one.index(MILL) < one.index(QUESTION)


async def test_what_is_known_already_comes_after_the_evidence(provider, documents):
    """A chain's next seat gets the same evidence, and more that is known."""
    provider.reply(ONE, "I do not look.", "Built in 1861.")
    await afuse(QUESTION, panel(ONE, strategy="solo", documents=documents), context="It burned down.")
    prompt = provider.calls(ONE)[-1].prompt
    assert prompt.index(MILL) < prompt.index("What is already known") < prompt.index(QUESTION)
