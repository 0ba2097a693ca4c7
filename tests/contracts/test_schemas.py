"""The schemas that others build on: Studio's form, the result's JSON."""

import json

import pytest

from fusion_tool import FusionConfig, FusionResult, build_graph
from tests.contracts.snapshots import matches

RESULT = {
    "status": None,
    "schema_version": None,
    "cached": None,
    "answer": None,
    "citations": {"number", "source_id", "url", "title", "support", "occurrences", "from_run"},
    "sources": {"id", "url", "title", "kind", "retrieved_by", "from_run"},
    "analysis": {
        "consensus",
        "contradictions",
        "partial_coverage",
        "unique_insights",
        "blind_spots",
        "unsupported_claims",
    },
    "responses": {"seat", "model", "content", "sources", "tool_calls", "seconds", "wave", "audit", "invented"},
    "failed_models": {"stage", "seat", "model", "reason", "message", "status_code"},
    "tool_failures": {"tool", "reason", "count", "seats"},
    "degraded": None,
    "dropped": None,
    "uncited": {"sentence", "start", "end", "source_id", "support", "invented"},
    "invented": None,
    "documents": {"indexed", "skipped"},
    "plan": {"strategy", "seats", "reason", "bash", "stays_local"},
    "usage": {"calls", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls"},
    "timing": {"total_seconds", "panel_seconds", "judge_seconds", "synthesis_seconds", "verification_seconds"},
    "run_id": None,
    "continues": None,
    "question": None,
    "created_at": None,
    "version": None,
}
INSIDE = {
    "Occurrence": {"start", "end", "sentence", "support", "passage", "verification"},
    "Verification": {"verdict", "by", "quote"},
    "UnsupportedClaim": {"model", "claim", "why"},
    "SkippedDocument": {"path", "reason"},
    "Contradiction": {"topic", "stances"},
    "Stance": {"model", "stance"},
    "PartialCoverage": {"models", "point"},
    "UniqueInsight": {"model", "insight"},
    "AuditCounts": {"supported", "weak", "mismatch", "unknown"},
    "Call": {
        "stage",
        "seat",
        "model",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cost_usd",
        "cost_source",
        "seconds",
    },
}
SCHEMA = FusionResult.model_json_schema(mode="serialization")


def named(schema):
    """The definition that a field's schema refers to, through lists and `null`."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    inner = [schema["items"]] if "items" in schema else schema.get("anyOf", [])
    return next((name for one in inner if (name := named(one))), None)


def test_the_result_has_exactly_the_fields_of_the_contract():
    assert set(SCHEMA["properties"]) == set(RESULT)


@pytest.mark.parametrize(("field", "inside"), RESULT.items())
def test_so_do_its_parts(field, inside):
    definition = named(SCHEMA["properties"][field])
    fields = set(SCHEMA["$defs"][definition]["properties"]) if definition else None
    assert fields == inside


@pytest.mark.parametrize(("name", "fields"), INSIDE.items())
def test_and_theirs(name, fields):
    assert set(SCHEMA["$defs"][name]["properties"]) == fields


def test_the_results_schema_is_the_reviewed_one():
    assert matches("schemas/result.json", json.dumps(SCHEMA, indent=2, sort_keys=True))


def test_the_contexts_schema_is_the_reviewed_one():
    schema = build_graph().get_context_jsonschema()
    assert matches("schemas/context.json", json.dumps(schema, indent=2, sort_keys=True))


CONFIG = FusionConfig.model_json_schema()


@pytest.mark.parametrize("owner", [CONFIG, *CONFIG["$defs"].values()], ids=lambda owner: owner["title"])
def test_every_setting_is_described(owner):
    assert [name for name, field in owner["properties"].items() if not field.get("description")] == []


def test_studio_asks_for_a_model_by_name():
    schema = build_graph().get_context_jsonschema()
    model = schema["$defs"]["Panelist"]["properties"]["model"]
    assert model["type"] == "string"
    assert schema["properties"]["panel"]["items"] == {"$ref": "#/$defs/Panelist"}


def test_the_graph_takes_a_question_or_messages_and_gives_a_result():
    graph = build_graph()
    assert set(graph.get_input_jsonschema()["properties"]) == {
        "question",
        "context",
        "instructions",
        "answer_schema",
        "max_tokens",
        "earlier",
        "messages",
    }
    assert set(graph.get_output_jsonschema()["properties"]) == {"result", "messages"}
