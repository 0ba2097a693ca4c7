"""A sample of the replies that are nearly right, each through a whole run."""

from random import Random

import pytest

from fusion_tool import PanelFailed, afuse
from tests.integration.panel import QUESTION, panel
from tests.scripted_server import Raw
from tests.unit.models.wire.mutants import is_refusal, make_mutant, readable_texts

pytestmark = pytest.mark.loopback

SEAT = "test/seat"


@pytest.mark.parametrize("seed", range(40))
async def test_a_run_holds_what_can_be_read_or_fails_by_a_reason(provider, monkeypatch, seed):
    monkeypatch.setattr("fusion_tool.models.faults._jitter", lambda _: 0.0)
    mutant = make_mutant(Random(seed), offers_tools=False)  # noqa: S311 - no secret
    kind = "text/event-stream" if mutant.is_stream else "application/json"
    provider.reply(SEAT, Raw(mutant.body, content_type=kind))
    config = panel(SEAT, strategy="solo", hedge=0.01 if mutant.is_stream else None)
    try:
        answer = (await afuse(QUESTION, config)).answer
    except PanelFailed as failed:
        (lost,) = failed.failed_models
        answer = f"{lost['reason']}: {lost['message']}"
    assert is_refusal(mutant) or all(text in answer for text in readable_texts(mutant)), (mutant.changes, answer)
