"""A cited answer's sources, in the form that each face's clients read."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph

from fusion_tool import ChatFusion, build_graph
from tests.integration.openai_server import client, served, user
from tests.integration.panel import JUDGE, WRITER, cite, panel, reads, text, verdict
from tests.integration.real_clients import needs_node_clients, needs_python_clients, run_node_client, run_python_client

pytestmark = pytest.mark.loopback

ANSWER = "The Alder mill was built in 1861 [1]. It burned down in 1902 [2]. It was built in 1861 [1]."


@pytest.fixture
def pages(internet):
    """Two pages, by the number under which the answer cites them; one has a title."""
    body = "<p>The Alder mill was built in 1861.</p>" * 9
    internet.page("/mill", f"<html><head><title>The mill</title></head><body><main>{body}</main></body></html>")
    internet.page("/fire", text("The Alder mill burned down in 1902."))
    return {1: internet.url("/mill"), 2: internet.url("/fire")}


@pytest.fixture
def config(provider, internet, pages):
    """A panel whose answer cites two pages, one of them twice."""
    mill, fire = map(cite, pages.values())
    provider.otherwise(f"It was built in 1861 {mill}.")
    provider.reply("test/one", reads(*pages.values()), f"It was built in 1861 {mill}.")
    provider.reply(JUDGE, verdict())
    raw = f"The Alder mill was built in 1861 {mill}. It burned down in 1902 {fire}. It was built in 1861 {mill}."
    provider.reply(WRITER, raw)
    return panel("test/one", "test/two", internet=internet)


def spans(answer):
    """Where the marks stand, with their numbers."""
    return [(at, at + 3, int(answer[at + 1])) for at in range(len(answer)) if answer[at] == "["]


# Over HTTP: `url_citation`s ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [[], ["stream"]], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda *options: run_python_client("openai_sources.py", *options), marks=needs_python_clients),
        pytest.param(lambda *options: run_node_client("openai_sources.mjs", *options), marks=needs_node_clients),
    ],
    ids=["python", "node"],
)
def test_openais_clients_read_where_the_answer_cites_what(config, pages, ask, mode):
    with served(config) as url:
        reply = ask(url, *mode)
    assert reply["text"] == ANSWER
    assert {note["type"] for note in reply["annotations"]} == {"url_citation"}
    citations = [note["url_citation"] for note in reply["annotations"]]
    assert [(note["start_index"], note["end_index"], note["url"]) for note in citations] == [
        (start, end, pages[number]) for start, end, number in spans(ANSWER)
    ]
    assert [note["title"] for note in citations] == ["The mill", "", "The mill"]


@needs_node_clients
@pytest.mark.parametrize("mode", [[], ["stream"]], ids=["whole", "streamed"])
def test_the_ai_sdk_reads_them_as_its_sources(config, pages, mode):
    with served(config) as url:
        reply = run_node_client("ai_sources.mjs", url, *mode)
    assert reply["text"] == ANSWER
    assert [source["url"] for source in reply["sources"]] == [pages[1], pages[2], pages[1]]


@pytest.mark.parametrize("written", ["{}", "```json\n{}\n```", "Here it is:\n```json\n{}\n```"])
@pytest.mark.parametrize("streams", [False, True])
def test_in_an_object_they_stand_where_its_strings_cite(config, pages, provider, written, streams):
    mill, fire = map(cite, pages.values())
    said = f'{{"漢😀": ["built \\"1861\\" {mill}"], "price": 12.50, "end": "burned down {fire}"}}'
    provider.reply(WRITER, written.replace("{}", said))
    with served(config) as url:
        ask = client(url).chat.completions.create
        reply = ask(model="fusion", messages=[user("When?")], response_format={"type": "json_object"}, stream=streams)
        choices = [chunk.choices[0].delta for chunk in reply] if streams else [reply.choices[0].message]
    answer = "".join(choice.content or "" for choice in choices)
    assert answer == said.replace(mill, "[1]").replace(fire, "[2]")
    notes = [note for choice in choices for note in getattr(choice, "annotations", None) or []]
    citations = [dict(note["url_citation"] if streams else note.url_citation) for note in notes]
    assert [(answer[note["start_index"] : note["end_index"]], note["url"]) for note in citations] == [
        ("[1]", pages[1]),
        ("[2]", pages[2]),
    ]


# In LangChain: content blocks with citations -------------------------------------------------------------------------


async def chat_model(config, **options):
    return await ChatFusion(config, **options).ainvoke("When?")


def chat_model_stream(config, **options):
    chunks = list(ChatFusion(config, **options).stream("When?"))
    return sum(chunks[1:], chunks[0])


async def graph(config, **options):
    panel = build_graph(config.model_copy(update=options))
    return (await panel.ainvoke({"messages": [HumanMessage("When?")]}))["messages"][-1]


async def subgraph(config, **options):
    panel = build_graph(config.model_copy(update=options))
    outer = StateGraph(MessagesState).add_node("panel", panel).add_edge(START, "panel").compile()
    return (await outer.ainvoke({"messages": [HumanMessage("When?")]}))["messages"][-1]


FACES = pytest.mark.parametrize("face", [chat_model, chat_model_stream, graph, subgraph])


async def message_of(face, config, **options) -> AIMessage:
    message = face(config, **options)
    return message if isinstance(message, AIMessage) else await message


def cited(block):
    """Where a content block cites what."""
    return [(note["start_index"], note["end_index"], note["url"]) for note in block["annotations"]]


@FACES
async def test_a_message_is_a_text_whose_blocks_carry_the_citations(config, pages, face):
    message = await message_of(face, config)
    assert message.content == message.text == ANSWER
    (block,) = message.content_blocks
    assert (block["type"], block["text"]) == ("text", ANSWER)
    assert cited(block) == [(start, end, pages[number]) for start, end, number in spans(ANSWER)]
    assert {note["type"] for note in block["annotations"]} == {"citation"}
    first = block["annotations"][0]
    assert (first["title"], first["extras"]) == ("The mill", {"support": "supported"})
    assert first["cited_text"].startswith("The Alder mill was built in 1861.")


@pytest.mark.parametrize("streams", [False, True])
async def test_langchains_own_switch_puts_the_blocks_into_the_content(config, streams):
    message = await message_of(chat_model_stream if streams else chat_model, config, output_version="v1")
    assert isinstance(message.content, list)
    assert (message.text, message.content) == (ANSWER, message.content_blocks)
    (block,) = message.content
    assert len(cited(block)) == 3


@FACES
async def test_a_message_survives_storage_and_goes_to_another_model_as_text_alone(config, provider, face):
    message = await message_of(face, config)
    stored = JsonPlusSerializer()
    assert stored.loads_typed(stored.dumps_typed(message)).content_blocks == message.content_blocks
    another = ChatOpenAI(base_url=f"{provider.root}/v1", api_key="unused", model="test/two")
    await another.ainvoke([HumanMessage("When?"), message, HumanMessage("Sure?")])
    assert provider.requests[-1].body["messages"][1] == {"role": "assistant", "content": ANSWER}
    assert StrOutputParser().invoke(message) == ANSWER


@pytest.mark.parametrize("face", [chat_model, chat_model_stream])
async def test_what_a_stop_sequence_cuts_off_is_not_cited(config, pages, face):
    message = await message_of(face, config, stop=["1902"], list_sources=True)
    assert message.text.startswith("The Alder mill was built in 1861 [1]. It burned down in \n\nSources\n[1] The mill")
    assert [url for *_, url in cited(message.content_blocks[0])] == [pages[1]]
    assert pages[2] not in message.text


# Where a client shows text alone -------------------------------------------------------------------------------------


def tail(pages):
    return f"\n\nSources\n[1] The mill - {pages[1]}\n[2] {pages[2]}"


@FACES
async def test_a_list_of_sources_ends_the_message_where_it_is_wanted(config, pages, face):
    message = await message_of(face, config, list_sources=True)
    assert message.content == ANSWER + tail(pages)
    assert len(cited(message.content_blocks[0])) == 3


@needs_python_clients
@pytest.mark.parametrize("mode", [[], ["stream"]], ids=["whole", "streamed"])
def test_over_http_too(config, pages, mode):
    with served(config.model_copy(update={"list_sources": True})) as url:
        reply = run_python_client("openai_sources.py", url, *mode)
    assert reply["text"] == ANSWER + tail(pages)
    assert len(reply["annotations"]) == 3


def test_a_caller_of_the_server_may_ask_for_it(config, pages):
    with served(config) as url:
        body = {"fusion": {"list_sources": True}}
        reply = client(url).chat.completions.create(model="fusion", messages=[user("When?")], extra_body=body)
    assert reply.choices[0].message.content == ANSWER + tail(pages)


YEAR = {"title": "Year", "type": "object", "properties": {"year": {"type": "string"}}, "required": ["year"]}


@pytest.fixture
def written_as_json(config, provider, pages):  # noqa: ARG001 - replaces its writer's reply
    provider.reply(WRITER, json.dumps({"year": f"1861 {cite(pages[1])}"}))


@pytest.mark.usefixtures("written_as_json")
async def test_never_behind_a_chat_models_json(config):
    model = ChatFusion(config, list_sources=True).with_structured_output(YEAR)
    assert await model.ainvoke("When?") == {"year": "1861 [1]"}


@pytest.mark.usefixtures("written_as_json")
async def test_never_behind_a_graphs_json(config):
    asked = {"messages": [HumanMessage("When?")], "answer_schema": YEAR}
    state = await build_graph(config.model_copy(update={"list_sources": True})).ainvoke(asked)
    message = state["messages"][-1]
    assert json.loads(message.content) == {"year": "1861 [1]"}
    ((start, end, _),) = cited(message.content_blocks[0])
    assert message.content[start:end] == "[1]"
