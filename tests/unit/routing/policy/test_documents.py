"""Documents that only local seats may see."""

import pytest

from fusion_tool.config.schema import Documents, FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.grounding.sources import make_source
from fusion_tool.routing.policy.documents import (
    document_receivers,
    may_read_answers,
    require_local_readers,
    rests_on_documents,
    seat_config,
)

LOCAL, REMOTE, OTHER = "local:smollm2-135m", "openrouter:openai/gpt-5.5", "anthropic:claude-opus-4-8"


def hybrid(*panel, send_to="local", **fields):
    documents = Documents(path="notes", send_to=send_to)
    return FusionConfig(panel=panel or (LOCAL, REMOTE), judge=fields.pop("judge", LOCAL), documents=documents, **fields)


def record(*kinds):
    return {"found": [make_source(f"https://a.test/{kind}", title="", kind=kind, text="") for kind in kinds]}


def test_a_local_seat_reads_the_documents_and_a_remote_one_the_web():
    config = hybrid()
    here, there = (seat_config(config, seat) for seat in config.panel)
    assert (here.documents, here.search) == (config.documents, None)
    assert (there.documents, there.search) == (None, config.search)


@pytest.mark.parametrize("config", [hybrid(send_to="any"), FusionConfig(panel=(LOCAL, REMOTE))])
def test_where_documents_may_go_anywhere_seats_work_alike(config):
    assert all(seat_config(config, seat) is config for seat in config.panel)
    assert require_local_readers(config).config is config
    assert may_read_answers(config, Panelist(model=REMOTE), [record("document")])


def test_judge_and_synthesizer_lose_their_remote_fallbacks():
    config = hybrid(
        judge={"model": REMOTE, "fallbacks": [LOCAL, OTHER]}, synthesizer={"model": LOCAL, "fallbacks": [REMOTE]}
    )
    kept = require_local_readers(config)
    assert kept.config.judge == kept.config.synthesizer == Panelist(model=LOCAL)
    assert kept.config.panel == config.panel
    assert kept.config.trace_content is False
    assert kept.notes == ("documents go to local seats alone, which have no web tools",)


def test_a_seat_that_begins_here_stays_here():
    here = {"model": LOCAL, "fallbacks": [REMOTE, "local:other"]}
    there = {"model": REMOTE, "fallbacks": [LOCAL]}
    kept = require_local_readers(hybrid(here, there)).config
    assert [seat.fallbacks for seat in kept.panel] == [("local:other",), (LOCAL,)]


def test_a_default_judge_that_is_local_becomes_explicit_without_its_remote_fallback():
    config = hybrid({"model": LOCAL, "seat": "here", "fallbacks": [REMOTE]}, REMOTE, judge=None)
    assert require_local_readers(config).config.judge == Panelist(model=LOCAL)


@pytest.mark.parametrize(
    ("config", "field", "said"),
    [
        (hybrid(judge=REMOTE), "judge", REMOTE),
        (hybrid(synthesizer=OTHER), "synthesizer", OTHER),
        (hybrid(REMOTE, LOCAL, judge=None), "judge", REMOTE),
        (hybrid(REMOTE, OTHER), "panel", "no seat is local"),
    ],
)
def test_a_remote_reader_is_refused_with_the_cure(config, field, said):
    with pytest.raises(ConfigError) as caught:
        require_local_readers(config)
    assert caught.value.field == field
    assert said in str(caught.value)
    assert "send_to = 'local'" in str(caught.value)
    assert "--preset ollama" in str(caught.value)


@pytest.mark.parametrize(
    ("records", "seat", "shown"),
    [
        ([record("page"), record("result")], REMOTE, True),
        ([], REMOTE, True),
        ([record("page"), record("page", "document")], REMOTE, False),
        ([record("document")], LOCAL, True),
        ([record("document")], {"model": LOCAL, "fallbacks": [REMOTE]}, False),
    ],
)
def test_what_came_out_of_documents_is_shown_to_local_seats_alone(records, seat, shown):
    assert may_read_answers(hybrid(), Panelist.model_validate(seat), records) is shown


def test_an_answer_is_made_from_documents_where_its_seat_found_one():
    assert rests_on_documents(record("page", "document"))
    assert not rests_on_documents(record("page", "command"))


def test_every_provider_that_receives_documents_is_named_once():
    server = {"model": "qwen3", "base_url": "http://gpu.corp:8000/v1"}
    here = {"model": "qwen3", "base_url": "http://localhost:8000/v1"}
    config = hybrid({"model": REMOTE, "fallbacks": ["xai:grok-4.7"]}, server, here, LOCAL, send_to="any", judge=OTHER)
    assert document_receivers(config) == ("openrouter", "xai", "gpu.corp", "anthropic")
    assert document_receivers(hybrid()) == ()
    assert document_receivers(FusionConfig(panel=(REMOTE,))) == ()
