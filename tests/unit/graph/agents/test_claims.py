"""A small model's claims: each names a numbered source, and only those there are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.graph.agents import claims
from fusion_tool.grounding.sources import make_source

MILL = make_source("https://example.org/mill", title="Mill", kind="page", text="Built in\n 1861.")
FIRE = make_source("https://example.org/fire", title="Fire", kind="page", text="It burned down.")
BOTH = [MILL, FIRE]


def reply(*rows):
    return json.dumps({"claims": [{"text": text, "source": source} for text, source in rows]})


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (reply(("Built in 1861.", 1)), f"- Built in 1861. [{MILL['id']}]"),
        (reply(("One.", 1), ("Two.", 2)), f"- One. [{MILL['id']}]\n- Two. [{FIRE['id']}]"),
        (reply(("One.", 1), ("One.", 1)), f"- One. [{MILL['id']}]"),
        (reply((" One\n two. ", 2)), f"- One two. [{FIRE['id']}]"),
        (reply(("None.", 0), ("Two.", 2), ("Three.", 3), ("Minus.", -1)), f"- None.\n- Two. [{FIRE['id']}]"),
        (reply(("They do not say.", 0)), "- They do not say."),
        (reply(("One.", 1), ("Two.", 2))[:-12], f"- One. [{MILL['id']}]"),
        (
            json.dumps(
                {
                    "type": "object",
                    "properties": {"claims": {"type": "array", "items": [{"text": "One.", "source": 1}]}},
                }
            ),
            f"- One. [{MILL['id']}]",
        ),
        (f"```json\n{reply(('One.', 1))}\n```", f"- One. [{MILL['id']}]"),
    ],
)
def test_claims_become_cited_lines(said, text):
    assert claims.claims_to_text(said, BOTH) == text


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no claims",
        "{}",
        "[]",
        "7",
        '{"claims": []}',
        '{"claims": null}',
        '{"claims": "x"}',
        '{"claims": 5}',
        '{"claims": true}',
        '{"claims": {"text": "x", "source": 1}}',
        '{"claims": [5]}',
        '{"claims": [{"text": "x"}]}',
        '{"claims": [{"text": "x", "source": "one"}]}',
        reply(("Nine.", 9)),
    ],
)
def test_no_claim_is_none(said):
    assert claims.claims_to_text(said, BOTH) is None


@given(st.text() | st.integers() | st.booleans() | st.lists(st.none() | st.text() | st.integers()))
def test_whatever_a_reply_holds_nothing_raises(value):
    assert claims.claims_to_text(json.dumps({"claims": value}), BOTH) is None


def test_the_prompt_numbers_the_sources_inside_a_fence():
    *_, asked = claims.claims_prompt("When?", BOTH, claims.claim_bounds(8192), nonce="n0nce")
    assert asked.text == (
        "<<<n0nce begin sources\n[1] Built in 1861.\n[2] It burned down.\nn0nce end>>>\n\nQuestion: When?"
    )


@pytest.mark.parametrize("window", [2048, 4096, 8192])
def test_all_but_the_smallest_may_say_that_no_source_answers(window):
    bounds = claims.claim_bounds(window)
    *examples, _ = claims.claims_prompt("?", BOTH, bounds, nonce="n")
    replies = [json.loads(str(turn.text))["claims"] for turn in examples if turn.type == "ai"]
    assert [[claim["source"] for claim in reply] for reply in replies] == ([[1]] if window == 2048 else [[1, 3], [0]])
    admitted = claims.response_format(3, bounds)["json_schema"]["schema"]["properties"]["claims"]["items"]
    assert admitted["properties"]["source"]["enum"] == ([1, 2, 3] if window == 2048 else [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("window", "most", "excerpt"), [(512, 2, 330), (2048, 2, 330), (None, 4, 660), (8192, 6, 1320), (200_000, 6, 1320)]
)
@pytest.mark.parametrize("count", [1, 3])
def test_the_grammar_admits_no_other_source_and_grows_with_the_window(count, window, most, excerpt):
    bounds = claims.claim_bounds(window)
    many = claims.response_format(count, bounds)["json_schema"]["schema"]["properties"]["claims"]
    assert set(many["items"]["properties"]["source"]["enum"]) - {0} == set(range(1, count + 1))
    assert (many["minItems"], many["maxItems"], bounds.excerpt) == (1, most, excerpt)
    assert set(many["items"]["properties"]["text"]) & {"pattern", "maxLength"}
