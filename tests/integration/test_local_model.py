"""The real local model, over the corpus that ships with the examples: nothing is scripted here."""

import importlib.util
from pathlib import Path

import pytest

from fusion_tool import afuse
from fusion_tool.models.local.catalog import is_installed

CORPUS = Path(__file__).parents[2] / "examples" / "corpus"

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.local_model,
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="the `local` extra is not installed"),
    pytest.mark.skipif(not is_installed("smollm2-135m"), reason="run `fusion-tool model install` first"),
    pytest.mark.timeout(300),
]


async def test_the_local_panel_answers_for_nothing_and_every_citation_was_retrieved():
    result = await afuse(
        "How long does the battery of the Kestrel handheld really last?", "local:smollm2", documents=CORPUS
    )
    assert result.status in {"ok", "partial"}
    assert result.answer.strip()
    assert {source.kind for source in result.sources} == {"document"}
    retrieved = {source.id for source in result.sources}
    assert result.citations
    assert {citation.source_id for citation in result.citations} <= retrieved
    assert all(citation.url.startswith("doc:corpus/") for citation in result.citations)
    assert {response.seat for response in result.responses} <= {"local-1", "local-2", "local-3"}
    assert sum(sum(response.audit.model_dump().values()) for response in result.responses) > 0
    assert {call.stage for call in result.usage.calls} == {"panelist", "judge", "synthesizer"}
    assert {call.cost_source for call in result.usage.calls} == {"list_price"}
    assert result.usage.cost_usd == 0.0
    assert result.usage.input_tokens
    assert result.usage.output_tokens
