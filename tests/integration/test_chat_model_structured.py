"""`ChatFusion.with_structured_output`: the synthesizer is asked for the schema, and what it wrote is read strictly."""

import json
from typing import Annotated

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from fusion_tool import ChatFusion
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, text, verdict

MILL = {"built": 1861, "rivers": ["Alder", "Wex"]}


class Mill(BaseModel):
    """A mill."""

    built: int = Field(description="year")
    rivers: list[str] = []

    @field_validator("built")
    @classmethod
    def _not_of_the_future(cls, value):
        if value > 2000:
            raise ValueError("mills are older")
        return value


class MillDict(TypedDict):
    """A mill."""

    built: Annotated[int, ..., "year"]
    rivers: Annotated[list[str], ..., "its rivers"]


SCHEMAS = pytest.mark.parametrize(
    "schema", [Mill, MillDict, Mill.model_json_schema()], ids=["pydantic", "TypedDict", "JSON schema"]
)


def model(answer):
    said = answer if isinstance(answer, str) else json.dumps(answer)
    return ChatFusion(fake_config("A seat's prose.", answer=said))


@SCHEMAS
async def test_the_answer_is_of_the_schema(schema):
    asked = model(MILL).with_structured_output(schema)
    expected = Mill(**MILL) if schema is Mill else MILL
    assert await asked.ainvoke(QUESTION) == expected
    assert asked.invoke(QUESTION) == expected
    assert [one async for one in asked.astream(QUESTION)] == [expected]
    assert list(asked.stream(QUESTION)) == [expected]


@SCHEMAS
async def test_the_raw_answer_comes_beside_it(schema):
    given = await model(MILL).with_structured_output(schema, include_raw=True).ainvoke(QUESTION)
    assert given["parsed"] == (Mill(**MILL) if schema is Mill else MILL)
    assert given["parsing_error"] is None
    assert json.loads(given["raw"].text) == MILL
    assert given["raw"].response_metadata["fusion"]["responses"][0]["content"] == "A seat's prose."


UNREADABLE = pytest.mark.parametrize(
    "said",
    ["It was built in 1861.", '{"rivers": ["Alder"]}', '{"built": 1861, "rivers": ["Ald', "[1861]", "null", '"1861"'],
    ids=["prose", "a key is missing", "cut off", "a list", "null", "a string"],
)


@UNREADABLE
@SCHEMAS
async def test_what_is_not_of_the_schema_is_a_parser_error(schema, said):
    with pytest.raises(OutputParserException) as failure:
        await model(said).with_structured_output(schema).ainvoke(QUESTION)
    assert failure.value.llm_output == said


@UNREADABLE
@SCHEMAS
async def test_with_the_raw_answer_the_error_is_a_value(schema, said):
    given = await model(said).with_structured_output(schema, include_raw=True).ainvoke(QUESTION)
    assert given["parsed"] is None
    assert isinstance(given["parsing_error"], OutputParserException)
    assert given["raw"].text == said


async def test_a_pydantic_class_validates_in_its_own_way():
    with pytest.raises(OutputParserException, match="mills are older"):
        await model({"built": 2001}).with_structured_output(Mill).ainvoke(QUESTION)


async def test_a_fenced_answer_is_read():
    said = f"```json\n{json.dumps(MILL)}\n```"
    assert await model(said).with_structured_output(Mill).ainvoke(QUESTION) == Mill(**MILL)


async def test_the_synthesizer_is_told_the_schema_and_nobody_else():
    seat, judge, writer = (ScriptedChat(replies=[json.dumps(MILL)]) for _ in range(3))
    config = fake_config(
        panel=[{"model": seat}, {"model": seat}], judge={"model": judge}, synthesizer={"model": writer}
    )
    await ChatFusion(config).with_structured_output(Mill).ainvoke(QUESTION)
    assert '"built"' in str(writer.prompts[0])
    assert not [prompt for prompt in (*seat.prompts, *judge.prompts) if '"built"' in str(prompt[0])]


@pytest.mark.loopback
async def test_citations_stand_inside_its_strings(provider, internet):
    url = internet.url("/mill")
    internet.page("/mill", text("The Alder mill was built in 1861."))
    provider.reply("test/one", reads(url), f"It was built in 1861 {cite(url)}.")
    provider.reply("test/two", "1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, json.dumps({"built": 1861, "rivers": [f"The Alder {cite(url)}"]}))
    asked = ChatFusion(panel("test/one", "test/two", internet=internet)).with_structured_output(Mill, include_raw=True)
    given = await asked.ainvoke(QUESTION)
    assert given["parsed"] == Mill(built=1861, rivers=["The Alder [1]"])
    assert given["raw"].response_metadata["fusion"]["citations"][0]["url"] == url


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_every_usual_method_is_taken(method):
    assert model(MILL).with_structured_output(Mill, method=method, strict=True).invoke(QUESTION) == Mill(**MILL)


def test_other_options_are_refused_by_name():
    with pytest.raises(ValueError, match="tools"):
        model(MILL).with_structured_output(Mill, tools=[])
