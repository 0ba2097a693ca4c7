"""The judge sees letters, its reply is read with tolerance, and the reader sees names."""

import contextlib
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.graph.agents.answers import assign_letters
from fusion_tool.graph.agents.judge import restore_names
from fusion_tool.graph.agents.judge_reply import example_text, parse_reply, reply_schema
from fusion_tool.graph.result import Analysis
from fusion_tool.models.capabilities import InvalidReplyError

WHOLE = {
    "consensus": ["The mill was built in 1861."],
    "contradictions": [{"topic": "cost", "stances": [{"model": "A", "stance": "£5"}, {"model": "B", "stance": "£6"}]}],
    "partial_coverage": [{"models": ["A", "C"], "point": "It burned down."}],
    "unique_insights": [{"model": "B", "insight": "It had two wheels."}],
    "blind_spots": ["Who owned it."],
    "unsupported_claims": [{"model": "B", "claim": "It cost £6.", "why": "Its source says £5."}],
}
PLAIN = json.dumps(WHOLE)
OLD = {name: rows for name, rows in WHOLE.items() if name != "unsupported_claims"}
ANALYSIS = Analysis.model_validate(WHOLE)
EMPTY = {field: [] for field in WHOLE}

labels = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8, unique=True)


@given(labels, st.text(max_size=12), st.randoms())
def test_each_seat_has_a_letter_that_depends_on_the_nonce_alone(seats, nonce, random):
    letters = assign_letters(seats, nonce=nonce)
    assert sorted(letters.values()) == sorted(seats)
    assert list(letters) == list("ABCDEFGH"[: len(seats)])
    random.shuffle(seats)
    assert assign_letters(seats, nonce=nonce) == letters


def test_the_order_differs_from_run_to_run():
    orders = {tuple(assign_letters(["a", "b", "c"], nonce=str(n)).values()) for n in range(50)}
    assert len(orders) == 6


@pytest.mark.parametrize(
    "reply",
    [
        PLAIN,
        json.dumps(WHOLE, indent=2),
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```",
        f"Here is the comparison:\n\n{PLAIN}\n\nI hope that it helps.",
        f"<think>A says 5, B says 6.</think>\n{PLAIN}",
        f"Sure.\n<think>Fields: {{consensus, contradictions}}; A said {{5}}.</think>\n{PLAIN}",
        f"[{PLAIN}]",
        PLAIN.replace("]}", "],}").replace('."]', '.",]'),
        PLAIN.replace('"', "'"),
        PLAIN.removesuffix("}"),
        PLAIN.replace(': ["The', ': [ // agreed by all\n"The'),
        WHOLE,
        WHOLE | {"confidence": 0.9},
    ],
    ids=[
        "plain",
        "indented",
        "fenced",
        "fenced without a language",
        "prose around",
        "reasoning first",
        "reasoning with braces",
        "in a list",
        "trailing commas",
        "single quotes",
        "no closing brace",
        "comments",
        "a function's arguments",
        "more fields",
    ],
)
def test_the_whole_analysis_is_found(reply):
    assert parse_reply(reply).analysis == ANALYSIS.model_dump()


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({"consensus": []}, EMPTY),
        ({"consensus": ["x"]}, EMPTY | {"consensus": ["x"]}),
        ({"consensus": "x"}, EMPTY | {"consensus": ["x"]}),
        ({"consensus": None, "blind_spots": ["y"]}, EMPTY | {"blind_spots": ["y"]}),
        ({"consensus": ["x", 5, None]}, EMPTY | {"consensus": ["x"]}),
    ],
)
def test_what_is_there_is_kept(reply, found):
    assert parse_reply(reply).analysis == found


@pytest.mark.parametrize(("whole", "earliest"), [(OLD, "burned"), (WHOLE, "It cost")], ids=["as of old", "with claims"])
@given(data=st.data())
def test_a_reply_that_was_cut_off_keeps_what_was_whole(whole, earliest, data):
    plain = json.dumps(whole)
    length = data.draw(st.integers(plain.index(earliest), len(plain)))
    reply = parse_reply(plain[:length])
    assert reply.consensus == ANALYSIS.consensus
    assert reply.contradictions == ANALYSIS.contradictions
    assert reply.is_cut_off is (length < len(plain) - 1)  # the last brace alone is no loss


def test_a_judge_that_knows_of_no_unsupported_claims_is_read_whole():
    reply = parse_reply(OLD)
    assert (reply.unsupported_claims, reply.is_cut_off) == ([], False)
    assert Analysis.model_validate(OLD).unsupported_claims == []


DRAFT = json.dumps({"consensus": ["draft only"]})
SCHEMA = json.dumps(reply_schema("AB"))


@pytest.mark.parametrize(
    "reply",
    [
        f"{DRAFT}\n\nFinal:\n{PLAIN}",
        f"{PLAIN}\n\nIn short: {DRAFT}",
        f"{PLAIN.replace('1861', '1871')}\nNo, wait.\n{PLAIN}",
        f"The schema is {SCHEMA}, so:\n{PLAIN}",
        f"{PLAIN}\n\n(by the schema {SCHEMA})",
        f"Here is the analysis {{as requested}}:\n{PLAIN}",
        json.dumps({"analysis": WHOLE}),
        json.dumps({"report_comparison": {"analysis": WHOLE}}),
        json.dumps({"type": "object", "properties": WHOLE}),
        json.dumps({"type": "object", "properties": {k: {"type": "array", "items": v} for k, v in WHOLE.items()}}),
        json.dumps({"name": "report_comparison", "arguments": PLAIN}),
        json.dumps(PLAIN),
        [PLAIN],
        ["", {"analysis": f"```json\n{PLAIN}\n```"}],
        [DRAFT, WHOLE],
        json.dumps({name.title().replace("_", ""): rows for name, rows in WHOLE.items()}),
    ],
)
def test_the_last_whole_object_is_read_whatever_it_is_wrapped_in(reply):
    found = parse_reply(reply)
    assert (found.analysis, found.is_cut_off) == (ANALYSIS.model_dump(), False)


def test_a_draft_before_a_final_one_that_broke_off_is_no_whole_reply():
    found = parse_reply(f"{PLAIN}\n\nFinal:\n{PLAIN[:-40]}")
    assert (found.analysis, found.is_cut_off) == (ANALYSIS.model_dump(), True)


STANCES = [{"model": "A", "stance": "3.4 m"}, {"model": "B", "stance": "4 m"}]
DISPUTE = [{"topic": "height", "stances": STANCES}]
COVERED = [{"models": ["A", "B"], "point": "It rose."}]
INSIGHTS = [{"model": "A", "insight": "At noon."}, {"model": "B", "insight": "At night."}]
CLAIM = {"model": "A", "claim": "It fell.", "why": "The source says it rose."}
BARE = [{"model": "A", "claim": "It fell.", "why": ""}]


@pytest.mark.parametrize(
    ("field", "written", "rows"),
    [
        ("consensus", "The tide rose.", ["The tide rose."]),
        ("consensus", '["The tide rose."]', ["The tide rose."]),
        ("consensus", '"The tide rose.", "It fell."', ["The tide rose.", "It fell."]),
        ("consensus", "- The tide rose.\n- It fell, later.", ["The tide rose.", "It fell, later."]),
        ("consensus", "1. The tide rose.\n2) It fell.", ["The tide rose.", "It fell."]),
        ("consensus", "It rose at noon, and at night it fell again.", ["It rose at noon, and at night it fell again."]),
        ("blind_spots", "year, exact place", ["year", "exact place"]),
        ("blind_spots", "None", []),
        ("blind_spots", ["None."], []),
        ("consensus", [{"point": "The tide rose.", "models": ["A", "B"]}], ["The tide rose."]),
        ("consensus", {"1": "The tide rose.", "2": "It fell."}, ["The tide rose.", "It fell."]),
        ("blind_spots", "[]", []),
        ("contradictions", json.dumps(DISPUTE), DISPUTE),
        ("contradictions", [json.dumps(DISPUTE[0])], DISPUTE),
        ("contradictions", DISPUTE[0], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": {"A": "3.4 m", "B": "4 m"}}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": [{"A": "3.4 m"}, {"B": "4 m"}]}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": ["A: 3.4 m", "B: 4 m"]}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": "A: 3.4 m, B: 4 m"}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": STANCES, "severity": "high"}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": "A: 3.4 m; B: 4 m"}], DISPUTE),
        ("contradictions", [{"topic": "height", "stances": [["A", "3.4 m"], ["B", "4 m"]]}], DISPUTE),
        (
            "contradictions",
            [{"issue": "height", "positions": [{"answer": "A", "position": "3.4 m"}, "B: 4 m"]}],
            DISPUTE,
        ),
        (
            "contradictions",
            [
                {
                    "topic": "height",
                    "stances": [{"models": ["A"], "stance": "3.4 m"}, {"models": ["B"], "stance": "4 m"}],
                }
            ],
            DISPUTE,
        ),
        ("contradictions", [{"topic": "height", "A": "3.4 m", "B": "4 m"}], DISPUTE),
        ("contradictions", {"height": {"A": "3.4 m", "B": "4 m"}}, DISPUTE),
        (
            "contradictions",
            [{"topic": "height", "stances": {"A": 3.4, "B": 4}}],
            [{"topic": "height", "stances": [{"model": "A", "stance": "3.4"}, {"model": "B", "stance": "4"}]}],
        ),
        ("contradictions", "none", []),
        ("partial_coverage", [{"models": "A, B", "point": "It rose."}], COVERED),
        ("partial_coverage", [{"models": "A and B", "point": "It rose."}], COVERED),
        ("partial_coverage", {"A, B": "It rose."}, COVERED),
        ("partial_coverage", {"It rose.": ["A", "B"]}, COVERED),
        ("unique_insights", {"A": "At noon.", "B": ["At night."]}, INSIGHTS),
        ("unique_insights", [{"A": "At noon."}, {"B": "At night."}], INSIGHTS),
        ("unsupported_claims", [CLAIM | {"severity": 3}], [CLAIM]),
        ("unsupported_claims", CLAIM, [CLAIM]),
        ("unsupported_claims", json.dumps([CLAIM]), [CLAIM]),
        ("unsupported_claims", {"A": {"claim": "It fell.", "why": "The source says it rose."}}, [CLAIM]),
        ("unsupported_claims", {"A": [{"claim": "It fell.", "why": "The source says it rose."}]}, [CLAIM]),
        ("unsupported_claims", {"A": "It fell."}, BARE),
        ("unsupported_claims", [{"A": ["It fell."]}], BARE),
        ("unsupported_claims", ["A: It fell."], BARE),
        ("unsupported_claims", "- Answer A: It fell.", [BARE[0] | {"model": "Answer A"}]),
        ("unsupported_claims", [{"model": "A", "claim": "It fell."}], BARE),
        ("unsupported_claims", [{"model": "A", "claim": "It fell.", "why": None}], BARE),
        ("unsupported_claims", "none", []),
    ],
)
def test_what_says_the_same_is_read_as_the_same(field, written, rows):
    assert parse_reply({**EMPTY, field: written}).analysis == EMPTY | {field: rows}


@pytest.mark.parametrize(
    ("said", "settled"), [(True, True), ("true", True), (False, False), ("no", False), ([], False)]
)
def test_settled_is_what_is_said(said, settled):
    assert parse_reply(WHOLE | {"settled": said}).settled is settled


@pytest.mark.parametrize(
    "reply",
    ["", "They agree.", "{}", {}, "[]", "[1, 2]", '{"answer": 42}', {"answer": 42}, "null", "```json\n```", "{{{{"],
)
def test_no_analysis_is_told_with_the_fields(reply):
    with pytest.raises(InvalidReplyError, match="consensus, contradictions"):
        parse_reply(reply)


def test_fields_in_objects_of_their_own_make_one_analysis():
    lines = "\n".join(json.dumps({name: value}) for name, value in WHOLE.items())
    assert parse_reply(lines).analysis == parse_reply(PLAIN).analysis


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("consensus", [{"grade": 5}]),
        ("contradictions", ["they differ"]),
        ("contradictions", [{"topic": "cost"}]),
        ("partial_coverage", [{"models": "A"}]),
        ("unique_insights", [{"model": 5, "insight": "x"}]),
        ("unsupported_claims", ["It fell."]),
        ("unsupported_claims", [{"model": "A", "why": "x"}]),
    ],
)
def test_items_of_the_wrong_shape_are_told_by_their_field(field, items):
    with pytest.raises(InvalidReplyError, match=field):
        parse_reply(WHOLE | {field: items})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["A", "A: x", "[1", PLAIN]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*WHOLE, "topic", "stances", "model", "point", "A", "items"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_a_judge_says_is_an_analysis_or_invalid(value):
    for reply in (value, json.dumps(value), f"So:\n{json.dumps(value)[:-1]}", json.dumps({"consensus": value})):
        with contextlib.suppress(InvalidReplyError):
            assert isinstance(parse_reply(reply), Analysis)


@given(st.dictionaries(st.sampled_from(list(WHOLE)), json_values), st.text())
def test_whatever_stands_in_its_fields_is_an_analysis_or_invalid(fields, text):
    for reply in (fields, json.dumps(fields), text):
        with contextlib.suppress(InvalidReplyError):
            assert isinstance(parse_reply(reply), Analysis)


NAMES = {"A": "vendor/one", "B": "vendor/two", "C": "three-2"}


def test_names_come_back_everywhere():
    said = ANALYSIS.model_copy(update={"consensus": ["Answer A and answer B agree."], "blind_spots": ["Answer C's."]})
    assert restore_names(said, NAMES).model_dump() == {
        "consensus": ["vendor/one and vendor/two agree."],
        "contradictions": [
            {
                "topic": "cost",
                "stances": [{"model": "vendor/one", "stance": "£5"}, {"model": "vendor/two", "stance": "£6"}],
            }
        ],
        "partial_coverage": [{"models": ["vendor/one", "three-2"], "point": "It burned down."}],
        "unique_insights": [{"model": "vendor/two", "insight": "It had two wheels."}],
        "blind_spots": ["three-2's."],
        "unsupported_claims": [{"model": "vendor/two", "claim": "It cost £6.", "why": "Its source says £5."}],
    }


@pytest.mark.parametrize("written", ["B", "b", " B ", "Answer B", "answer b", "ANSWER B", "Answer B.", "(B)"])
def test_a_letter_is_known_however_it_is_written(written):
    said = parse_reply({"unique_insights": [{"model": written, "insight": "x"}]})
    assert restore_names(said, NAMES).unique_insights[0].model == "vendor/two"


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        ("Answers A and B agree.", "vendor/one and vendor/two agree."),
        ("Answers A, B and C agree.", "vendor/one, vendor/two and three-2 agree."),
        ("answers B & C differ", "vendor/two & three-2 differ"),
        ("Plan A beats vitamin B; A mill.", "Plan A beats vitamin B; A mill."),
        ("Answer H is not there.", "Answer H is not there."),
    ],
)
def test_letters_in_a_text_are_named(text, restored):
    assert restore_names(parse_reply({"consensus": [text]}), NAMES).consensus == [restored]


@given(st.permutations(["Answer A", "Answer B", "x", "Answer C"]))
def test_a_name_that_looks_like_a_letter_is_left_alone(names):
    tricky = dict(zip("ABC", names, strict=False))
    said = parse_reply({"consensus": ["See answer A", "See answer B", "See answer C"]})
    assert restore_names(said, tricky).consensus == [f"See {name}" for name in names[:3]]


def test_the_schema_is_strict_and_names_the_letters():
    wanted = reply_schema(["A", "B"])
    assert list(wanted["properties"]) == wanted["required"] == list(Analysis.model_fields)
    assert wanted["additionalProperties"] is False
    insight = wanted["properties"]["unique_insights"]["items"]
    assert insight["properties"]["model"]["enum"] == ["A", "B"]


@pytest.mark.parametrize("letters", [["A"], ["A", "B"], ["A", "B", "C"]])
def test_the_prompts_example_is_a_reply_of_that_schema(letters):
    shown = json.loads(example_text(letters, settled=True))
    jsonschema.validate(shown, reply_schema(letters, settled=True))


def filled(name, rows):
    """A list as small models fill in the schema that they are shown."""
    return {"type": "object", "properties": {name: rows, "blind_spots": {"type": "array", "items": ["Who owned it."]}}}


ROSE = ["The tide rose."]
SCHEMAS = {
    "items": ("consensus", {"type": "array", "items": ROSE}, ROSE),
    "value": ("consensus", {"type": "array", "items": {"type": "string"}, "value": ROSE}, ROSE),
    "default": ("consensus", {"type": "array", "items": {"type": "string"}, "default": ROSE}, ROSE),
    "examples": ("consensus", {"type": "array", "examples": ROSE}, ROSE),
    "a value in the items": ("consensus", {"type": "array", "items": {"type": "string", "value": ROSE[0]}}, ROSE),
    "a value in each item": ("consensus", {"type": "array", "items": [{"type": "string", "const": ROSE[0]}]}, ROSE),
    "a dispute": ("contradictions", {"type": "array", "items": DISPUTE}, DISPUTE),
    "a dispute's own schema": (
        "contradictions",
        {"type": "array", "items": [{"type": "object", "properties": {"topic": "height", "stances": STANCES}}]},
        DISPUTE,
    ),
    "values everywhere": (
        "contradictions",
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "topic": {"type": "string", "value": "height"},
                    "stances": {"type": "array", "items": STANCES},
                },
            },
        },
        DISPUTE,
    ),
    "a list that stays a schema": ("consensus", {"type": "array", "items": {"type": "string"}}, []),
}


@pytest.mark.parametrize(("field", "written", "rows"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_with_its_values_inside_is_read(field, written, rows):
    expected = EMPTY | {"blind_spots": ["Who owned it."], field: rows}
    for reply in (filled(field, written), filled(field, written)["properties"], json.dumps(filled(field, written))):
        assert parse_reply(reply).analysis == expected


def test_a_schema_without_values_is_no_analysis():
    with pytest.raises(InvalidReplyError, match="repeats a schema"):
        parse_reply(SCHEMA)


NOISE = {
    "letters": (
        {"consensus": ["A", "Answer B", "A, B", "(A)", "answers A and B", "It rose."]},
        {"consensus": ["It rose."]},
    ),
    "a letter as a point": (
        {"partial_coverage": [{"models": ["A"], "point": "B"}, COVERED[0]]},
        {"partial_coverage": COVERED},
    ),
    "a letter as an insight": (
        {"unique_insights": [{"model": "A", "insight": "A"}, INSIGHTS[0]]},
        {"unique_insights": INSIGHTS[:1]},
    ),
    "the example": (json.loads(example_text("AB")) | {"consensus": ["It rose."]}, {"consensus": ["It rose."]}),
    "one stance": ({"contradictions": [{"topic": "height", "stances": STANCES[:1]}]}, {}),
    "stances that name themselves": (
        {
            "contradictions": [
                {"topic": "height", "stances": [{"model": "A", "stance": "A"}, {"model": "B", "stance": "Answer B"}]}
            ]
        },
        {},
    ),
}
AGREED = [
    ("It rose.", "it  rose"),
    ("497 million", "497,000,000"),
    ("$5 million", "5 million dollars"),
    ("12 March 1904", "March 12, 1904"),
    ("Answer A says 497 million.", "497 million"),
    ("**1861**", "1861."),
]
DISPUTED = [
    ("1861", "1871"),
    ("497 million", "512 million"),
    ("It rose.", "It did not rose."),
    ("The first cost was 5 million.", "The final cost was 5 million."),
    ("Yes, always.", "Yes, but only after 1900."),
    ("-5", "5"),
    ("5 km", "5 m"),
    ("B", "C"),
]


@pytest.mark.parametrize(("written", "rows"), NOISE.values(), ids=NOISE)
def test_what_says_nothing_is_dropped(written, rows):
    assert parse_reply(EMPTY | {"blind_spots": ["who"]} | written).analysis == EMPTY | {
        "blind_spots": ["who"]
    } | rows | ({"blind_spots": []} if "blind_spots" in written else {})


def dispute(first, second):
    return [{"topic": "it", "stances": [{"model": "A", "stance": first}, {"model": "B", "stance": second}]}]


@pytest.mark.parametrize(("first", "second"), AGREED)
def test_a_dispute_whose_stances_agree_is_none(first, second):
    assert parse_reply({"contradictions": dispute(first, second)}, "What was it?").contradictions == []


@pytest.mark.parametrize(("first", "second"), DISPUTED)
def test_a_dispute_whose_stances_differ_stays(first, second):
    assert len(parse_reply({"contradictions": dispute(first, second)}, "Was it so?").contradictions) == 1


def test_where_the_question_offers_choices_a_letter_is_an_answer():
    asked = "Which is it?\n(A) a mill\n(B) a barn"
    said = {"consensus": ["A"], "contradictions": dispute("A", "B")}
    assert parse_reply(said, asked).analysis == EMPTY | said
    assert parse_reply({"contradictions": dispute("B", "(B) a barn")}, asked).contradictions == []


@pytest.mark.parametrize("reply", [{"consensus": ["A", "B"]}, json.loads(example_text("AB"))])
def test_nothing_but_noise_is_told(reply):
    with pytest.raises(InvalidReplyError, match="bare letters"):
        parse_reply(reply)


def test_a_small_model_may_only_sort_statements():
    said = ["The mill was built in 1861.", "It burned down."]

    def walk(node):
        if node["type"] == "array":
            assert node["maxItems"] <= 2
            walk(node["items"])
        elif node["type"] == "object":
            assert node["additionalProperties"] is False
            for inner in node["properties"].values():
                walk(inner)
        else:
            assert node["enum"] in (["A"], said, doubtful, reasons)

    doubtful, reasons = said[1:], ["The source does not say it.", "The source says otherwise."]
    walk(schema := reply_schema(["A"], statements=said, doubtful=doubtful))
    assert schema["properties"]["unsupported_claims"]["items"]["properties"]["claim"]["enum"] == doubtful
    assert "unsupported_claims" not in reply_schema(["A"], statements=said)["properties"]
