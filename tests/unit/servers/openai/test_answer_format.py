"""The form in which a client wants the answer, and whether an answer has it."""

import json

import pytest

from fusion_tool.servers.openai.answer_format import AnswerFormat, parse_format
from fusion_tool.servers.openai.errors import ApiError

MILL = {"type": "object", "properties": {"built": {"type": "integer"}}, "required": ["built"]}


def nested(**described):
    return {"type": "json_schema", "json_schema": {"name": "mill", "schema": MILL} | described}


def deep(levels):
    schema = {"type": "object"}
    for _ in range(levels // 2):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, AnswerFormat({"type": "object"}, "answer")),
        (nested(), AnswerFormat(MILL, "mill")),
        (nested(strict=True, description="A mill."), AnswerFormat(MILL, "mill")),
        (nested(schema={"$ref": "#/$defs/M"}), AnswerFormat({"$ref": "#/$defs/M"}, "mill")),
        (nested(schema=deep(48)), AnswerFormat(deep(48), "mill")),
    ],
)
def test_both_protocols_say_the_same(value, expected):
    assert parse_format(value, "f", nested=True) == expected
    if value and "json_schema" in value:
        value = {"type": "json_schema", **value["json_schema"]}
    assert parse_format(value, "f", nested=False) == expected


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("json", "f"),
        ({"type": "xml"}, "f"),
        ({"type": "json_schema"}, "f"),
        ({"type": "json_schema", "json_schema": "mill"}, "f"),
        (nested(schema=None), "f.json_schema.schema"),
        (nested(schema={"type": "array"}), "f.json_schema.schema"),
        (nested(schema=MILL | {"required": "built"}), "f.json_schema.schema.required"),
        (nested(schema=deep(60)), "f.json_schema.schema"),
        (nested(schema=deep(2000)), "f.json_schema.schema"),
        (nested(schema=MILL | {"description": "x" * 60_000}), "f.json_schema.schema"),
        (nested(name=""), "f.json_schema.name"),
        (nested(name=5), "f.json_schema.name"),
    ],
)
def test_what_no_answer_could_be_of_is_refused(value, param):
    with pytest.raises(ApiError) as refused:
        parse_format(value, "f", nested=True)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    "text",
    ['{"built": 1861}', ' {"built": 1861}\n', '```json\n{"built": 1861}\n```', '{"built": 1861}\n```'],
    ids=["bare", "spaces", "a fence", "half a fence"],
)
def test_an_object_is_sent_as_a_client_can_read_it(text):
    assert json.loads(AnswerFormat(MILL).read(text)) == {"built": 1861}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("In 1861.", "not of the schema"),
        ('{"built": 18', "not of the schema"),
        ("[1861]", "expected an object"),
        ("{}", "it lacks built"),
        ('{"built": NaN}', "not JSON compliant"),
        ('{"built": 1861} as far as I know', "not of the schema"),
        ('{"built": ' + "[" * 90_000, "nested too deeply"),
        ('{"built": 1' + "0" * 5000 + "}", "not of the schema"),
    ],
)
def test_what_is_not_of_the_form_is_told(text, why):
    with pytest.raises(ValueError, match=why):
        AnswerFormat(MILL).read(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Mill", "$defs": {"Mill": MILL}},
        {"$ref": "#/definitions/Mill", "definitions": {"Mill": MILL}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/Mill"}, "Mill": MILL}},
        MILL | {"$ref": "#"},
    ],
)
def test_the_keys_of_a_definition_are_required_too(schema):
    assert AnswerFormat(schema).read('{"built": 1861}') == '{"built": 1861}'
    with pytest.raises(ValueError, match="it lacks built"):
        AnswerFormat(schema).read("{}")


@pytest.mark.parametrize("reference", ["#/$defs/Nothing", "#/$defs", "https://example.org/mill", "", 5, None])
def test_a_reference_to_nothing_requires_nothing(reference):
    assert AnswerFormat({"$ref": reference, "$defs": {}}).read("{}") == "{}"


def test_an_error_is_in_our_own_words():
    with pytest.raises(ValueError, match="not of the schema") as refused:
        AnswerFormat(MILL).read("In 1861.")
    assert "langchain" not in str(refused.value).lower()
