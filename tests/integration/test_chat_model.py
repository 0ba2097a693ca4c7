"""`ChatFusion` as a caller sees it: what goes in, what comes out, what is refused."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate

from fusion_tool import BudgetExceeded, ChatFusion, ConfigError, FusionConfig, FusionResult, Limits, PanelFailed, fuse
from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.errors import RecursionRefused
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, text, verdict
from tests.scripted_server import Reply, Usage

SEATS = ("test/one", "test/two")
ANSWER = "It was built in 1861, by the river."


async def invoke(model, /, *args, **kwargs):
    return model.invoke(*args, **kwargs)


async def ainvoke(model, /, *args, **kwargs):
    return await model.ainvoke(*args, **kwargs)


async def stream(model, /, *args, **kwargs):
    message = None
    for chunk in model.stream(*args, **kwargs):
        message = chunk if message is None else message + chunk
    return message


async def astream(model, /, *args, **kwargs):
    message = None
    async for chunk in model.astream(*args, **kwargs):
        message = chunk if message is None else message + chunk
    return message


FACES = pytest.mark.parametrize("face", [invoke, ainvoke, stream, astream])


@pytest.fixture
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, ANSWER)
    return provider


# What comes out -----------------------------------------------------------------------------------------------------


@FACES
async def test_every_face_gives_the_answer_and_all_that_stands_behind_it(face):
    message = await face(ChatFusion(fake_config("a", "b", answer=ANSWER)), QUESTION)
    assert isinstance(message, AIMessage)
    assert message.text == ANSWER
    result = FusionResult.model_validate(message.response_metadata["fusion"])
    assert (result.answer, result.question) == (ANSWER, QUESTION)
    assert message.response_metadata["run_id"] == result.run_id
    assert message.response_metadata["model_name"] == "fusion"
    assert message.usage_metadata["input_tokens"] == result.usage.input_tokens == 400
    assert message.usage_metadata["total_tokens"] == 480


@pytest.mark.loopback
@FACES
async def test_the_bill_is_the_sum_over_all_models(judged, face):
    judged.reply("test/one", Reply("1861.", usage=Usage(prompt=1000, completion=10, cached=600), cost=0.25))
    judged.reply("test/two", Reply("1861.", cost=0.5))
    message = await face(ChatFusion(panel(*SEATS, strategy="solo")), QUESTION)
    assert message.response_metadata["cost_usd"] == 0.25
    assert message.usage_metadata["input_tokens"] == 1000
    assert message.usage_metadata["input_token_details"]["cache_read"] == 600


async def test_what_is_unknown_is_none():
    seat = ScriptedChat(replies=["Paris."], usage=None)
    message = await ChatFusion(fake_config(panel=[{"model": seat}], strategy="solo")).ainvoke("Where?")
    assert message.usage_metadata is None
    assert message.response_metadata["cost_usd"] is None


@pytest.mark.loopback
async def test_citations_are_numbered_and_stand_in_the_metadata(judged, internet):
    url = internet.url("/mill")
    internet.page("/mill", text("The Alder mill was built in 1861."))
    judged.reply("test/one", reads(url), f"It was built in 1861 {cite(url)}.")
    judged.reply(WRITER, f"The Alder mill was built in 1861 {cite(url)}.")
    message = await ChatFusion(panel(*SEATS, internet=internet)).ainvoke(QUESTION)
    assert message.text == "The Alder mill was built in 1861 [1]."
    (citation,) = message.response_metadata["fusion"]["citations"]
    assert (citation["url"], citation["support"]) == (url, "supported")
    assert message.response_metadata["fusion"]["analysis"]["contradictions"]


async def test_a_failed_panel_raises():
    broken = ValueError("the model is on holiday")
    with pytest.raises(PanelFailed, match="on holiday"):
        await ChatFusion(fake_config(broken, broken)).ainvoke("Where?")


async def test_a_batch_is_one_run_each():
    messages = await ChatFusion(fake_config()).abatch(["First?", "Second?"])
    assert [message.response_metadata["fusion"]["question"] for message in messages] == ["First?", "Second?"]


# What goes in -------------------------------------------------------------------------------------------------------


async def test_earlier_turns_are_known_to_every_seat_and_wishes_to_the_synthesizer_alone():
    seat, writer = ScriptedChat(replies=["1861."]), ScriptedChat(replies=["1861!"])
    model = ChatFusion(fake_config(panel=[{"model": seat}, {"model": seat}], synthesizer={"model": writer}))
    history = [
        SystemMessage("Write like a pirate."),
        HumanMessage("Tell me of the Alder mill."),
        AIMessage("It stands in Wexmoor."),
        HumanMessage("When was it built?"),
    ]
    message = await model.ainvoke(history)
    assert message.response_metadata["fusion"]["question"] == "When was it built?"
    for prompt in seat.prompts:
        assert "It stands in Wexmoor." in str(prompt)
        assert "pirate" not in str(prompt)
    assert "Write like a pirate." in str(writer.prompts[0])


async def test_it_stands_in_a_chain():
    chain = ChatPromptTemplate([("system", "Answer in {language}."), ("human", "{question}")]) | ChatFusion(
        fake_config()
    )
    message = await chain.ainvoke({"language": "Danish", "question": "Where?"})
    assert message.response_metadata["fusion"]["question"] == "Where?"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [SystemMessage("Be brief.")],
        [HumanMessage("Where?"), AIMessage("There.")],
        [HumanMessage("   ")],
        [HumanMessage([{"type": "text", "text": "Whose?"}, {"type": "image", "url": "https://example.org/a.png"}])],
    ],
    ids=["none", "system alone", "not the human's turn", "blank", "an image"],
)
@FACES
async def test_what_is_no_question_is_refused_before_anything_is_asked(face, messages):
    seat = ScriptedChat(replies=["Paris."])
    with pytest.raises(ConfigError):
        await face(ChatFusion(fake_config(panel=[{"model": seat}])), messages)
    assert not seat.prompts


# Parameters ---------------------------------------------------------------------------------------------------------


@FACES
async def test_an_answer_ends_at_a_stop_sequence(face):
    config = fake_config(answer=ANSWER)
    assert (await face(ChatFusion(config), QUESTION, stop=["1861", "river"])).text == "It was built in "
    assert (await face(ChatFusion(config, stop=[", by"]), QUESTION)).text == "It was built in 1861"


@pytest.mark.loopback
@FACES
async def test_sampling_is_the_synthesizers(judged, face):
    judged.otherwise("1861.")
    model = ChatFusion(panel(*SEATS), temperature=0.1, max_tokens=300)
    await face(model, QUESTION)
    await face(model, QUESTION, temperature=0.9)
    bodies = [request.body for request in judged.calls(WRITER)]
    assert [body["temperature"] for body in bodies] == [0.1, 0.9]
    assert {body.get("max_tokens") or body.get("max_completion_tokens") for body in bodies} == {300}
    assert not [one for one in judged.requests if one.model != WRITER and "temperature" in one.body]


def test_a_timeout_is_the_limit_of_a_run():
    model = ChatFusion(fake_config(limits={"quorum": 1}), timeout=7)
    assert (model.config.limits.seconds, model.config.limits.quorum) == (7, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0.1), ("max_tokens", 10)],
)
def test_a_synthesizer_that_is_an_object_keeps_its_own_sampling(field, value):
    with pytest.raises(ConfigError, match=field):
        ChatFusion(fake_config(), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", 3), ("timeout", -1), ("max_retries", 2), ("strategy", "guess")]
)
def test_a_wrong_setting_fails_at_construction_with_its_name(field, value):
    config = FusionConfig(panel=["openrouter:test/one"])
    with pytest.raises(ConfigError, match="seconds" if field == "timeout" else field):
        ChatFusion(config, **{field: value})


def test_without_a_key_the_error_names_both_cures(monkeypatch):
    for name in KEY_NAMES:  # a vendor's would do
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"OPENROUTER_API_KEY.*'local'"):
        ChatFusion()


@pytest.mark.parametrize("option", ["model", "response_format", "seed"])
@FACES
async def test_an_option_of_a_call_that_a_panel_has_not_is_refused_by_name(face, option):
    with pytest.raises(ConfigError, match=option):
        await face(ChatFusion(fake_config()), "Where?", **{option: "x"})


async def test_tools_are_refused_with_what_to_use_instead():
    model = ChatFusion(fake_config())
    with pytest.raises(NotImplementedError, match=r"FusionTool.*fusion-agent"):
        model.bind_tools([])
    with pytest.raises(NotImplementedError, match="FusionTool"):
        await model.ainvoke("Where?", tools=[{"type": "function"}])


async def test_session_limits_hold_for_all_calls_together():
    seat = ScriptedChat(replies=["Paris."], cost_usd=0.5)
    config = fake_config(panel=[{"model": seat}], strategy="solo", allow_unpriced=True)
    model = ChatFusion(config, session_limits=Limits(usd=0.75))
    await model.ainvoke("Where?")
    assert model.spent.usd == 0.5
    await model.ainvoke("And where?")
    with pytest.raises(BudgetExceeded, match="session_limits"):
        await model.ainvoke("And now?")


@pytest.mark.loopback
@FACES
async def test_the_response_cache_is_the_panels(judged, face):
    model = ChatFusion(panel(*SEATS), cache=True)
    question = f"{QUESTION} Asked by {face.__name__}."
    first = await face(model, question)
    asked = len(judged.requests)
    again = await face(model, question)
    assert (again.text, len(judged.requests)) == (first.text, asked)
    assert again.response_metadata["fusion"]["cached"]
    assert again.usage_metadata is None or again.usage_metadata["total_tokens"] == 0
    await face(model, [SystemMessage("In Danish."), HumanMessage(question)])
    assert len(judged.requests) > asked


# A fusion inside a fusion -------------------------------------------------------------------------------------------


@FACES
@pytest.mark.usefixtures("in_seat")
async def test_called_by_a_seat_it_refuses(face):
    with pytest.raises(RecursionRefused):
        await face(ChatFusion(fake_config()), "Where?")


@pytest.mark.parametrize("wrapped", [False, True])
def test_as_a_seats_model_it_is_never_asked(wrapped):
    inner = ScriptedChat(replies=["Paris."])
    model = ChatFusion(fake_config(panel=[{"model": inner}]))
    with pytest.raises(RecursionRefused, match="ChatFusion"):
        fuse("Where?", fake_config(panel=[{"model": model.with_config(tags=["x"]) if wrapped else model}]))
    assert not inner.prompts
