"""What tracers see of a run: with `trace_content` off its shape, times, tokens and cost, and nothing that was said."""

from collections import Counter

import pytest
import requests
from langchain.agents import create_agent
from langchain.tools import tool
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.base import AsyncBaseTracer, BaseTracer
from langchain_core.tracers.context import collect_runs, tracing_v2_enabled
from langgraph.checkpoint.memory import InMemorySaver
from langsmith import Client, run_trees, traceable, utils

from fusion_tool import FusionTool, PanelFailed, afuse, astream, build_graph, fuse
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import WRITER, panel

CANARY = "heliotrope"
QUESTION = f"What is a {CANARY}?"
KNOWN = f"The {CANARY} turns to the sun."


@tool
async def lookup(word: str) -> str:
    """Look a word up."""
    return consulted(word)


@traceable
def consulted(word):
    """A caller's own function that sends itself to LangSmith."""
    if word.endswith("!"):
        raise ValueError(f"no {word}")
    return f"{word} is a flower"


def seat(name, *replies):
    return {"model": ScriptedChat(replies=replies, model_name=name, cost_usd=0.25)}


def config(**fields):
    """A canary in every prompt, answer, tool argument, tool result and error."""
    used = calls("lookup", word=CANARY), calls("lookup", word=f"{CANARY}!"), f"A {CANARY} is a flower."
    broken = ValueError(f"the provider says: {QUESTION} is a bad question")
    seats = [seat("one", *used), seat("two", *used), seat("three", broken)]
    return fake_config(**({"panel": seats, "answer": f"A {CANARY}, then."} | fields))


# Faces: each does one run with `handler` among its caller's ---------------------------------------------------------


async def by_afuse(handler, settings):
    async def caller(_):
        await afuse(QUESTION, settings, context=KNOWN, panel_tools=[lookup])

    await RunnableLambda(caller).ainvoke({}, {"callbacks": [handler]})


async def by_astream(handler, settings):
    async def caller(_):
        async for _event in astream(QUESTION, settings, context=KNOWN, panel_tools=[lookup]):
            pass

    await RunnableLambda(caller).ainvoke({}, {"callbacks": [handler]})


async def by_fuse(handler, settings):
    def caller(_):
        fuse(QUESTION, settings, context=KNOWN, panel_tools=[lookup])

    await RunnableLambda(caller).ainvoke({}, {"callbacks": [handler]})


async def by_an_agent(handler, settings):
    asked = calls("fusion_research", question=QUESTION, context=KNOWN)
    agent = create_agent(ScriptedChat(replies=[asked, "Done."]), [FusionTool(settings, panel_tools=[lookup])])
    await agent.ainvoke({"messages": [("user", "Ask.")]}, {"callbacks": [handler]})


async def by_the_graph(handler, settings):
    graph = build_graph(panel_tools=[lookup])
    await graph.ainvoke({"question": QUESTION, "context": KNOWN}, {"callbacks": [handler]}, context=settings)


async def by_the_graphs_own_configuration(handler, settings):
    graph = build_graph(settings, panel_tools=[lookup]).with_config({"tags": ["copied"]})
    await graph.ainvoke({"question": QUESTION, "context": KNOWN}, {"callbacks": [handler]})


async def by_the_graphs_events(handler, settings):
    graph = build_graph(panel_tools=[lookup])
    asked = {"question": QUESTION, "context": KNOWN}
    async for _event in graph.astream_events(asked, {"callbacks": [handler]}, context=settings):
        pass


FACES = [
    by_afuse,
    by_astream,
    by_fuse,
    by_an_agent,
    by_the_graph,
    by_the_graphs_own_configuration,
    by_the_graphs_events,
]


class Runs:
    """Every run that ended, as a tracer would send it on."""

    def __init__(self):
        super().__init__()
        self.ended = []

    def inside(self):
        """The runs of the fusion: what is around it is its caller's own."""
        known = {run.id: run for run in self.ended}

        def belongs(run):
            return run is not None and (run.name == "fusion" or belongs(known.get(run.parent_run_id)))

        return [run for run in self.ended if belongs(run)]

    def said(self):
        return "\n".join(
            repr([run.name, run.inputs, run.outputs, run.error, run.extra, run.events, run.serialized, run.tags])
            for run in self.inside()
        )


class Tracer(Runs, BaseTracer):
    def _persist_run(self, run):
        pass

    def _on_run_update(self, run):
        self.ended.append(run)


class AsyncTracer(Runs, AsyncBaseTracer):
    async def _persist_run(self, run):
        pass

    async def _on_run_update(self, run):
        self.ended.append(run)


@pytest.mark.parametrize("kind", [Tracer, AsyncTracer])
@pytest.mark.parametrize("face", FACES)
async def test_a_tracer_sees_what_ran_and_only_with_content_on_what_was_said(face, kind):
    shown, hidden = kind(), kind()
    await face(shown, config())
    await face(hidden, config(trace_content=False))
    assert shown.said().count(CANARY) > 20
    assert CANARY not in hidden.said()
    shape = Counter((run.name, run.run_type, bool(run.error)) for run in shown.inside())
    assert shape == Counter((run.name, run.run_type, bool(run.error)) for run in hidden.inside())
    assert {"fusion", "route", "panelist", "judge", "synthesize", "lookup", "ScriptedChat"} <= {
        name for name, *_ in shape
    }


@pytest.mark.parametrize("settings", [{"privacy": "local"}, {"strategy": "auto"}])
async def test_what_is_private_is_shown_to_no_tracer(settings):
    tracer, question = Tracer(), "Which bank is DE89 3704 0044 0532 0130 00 with?"
    graph = build_graph(fake_config("A bank.", **settings))
    await graph.ainvoke({"question": question}, {"callbacks": [tracer]})
    assert tracer.inside()
    assert "DE89" not in tracer.said()


async def test_nor_is_what_goes_on_from_it():
    private = await afuse("Which bank?", fake_config(answer="DE89 3704 0044.", privacy="local"))
    tracer, graph = Tracer(), build_graph(fake_config(answer="Another."))
    await graph.ainvoke({"question": "And since when?", "earlier": private}, {"callbacks": [tracer]})
    assert tracer.inside()
    assert "DE89" not in tracer.said()


async def test_tokens_cost_and_the_errors_name_stay():
    tracer = Tracer()
    await by_afuse(tracer, config(trace_content=False))
    models = [run for run in tracer.inside() if run.run_type in ("llm", "chat_model")]
    told = [run.outputs["generations"][0][0]["message"]["kwargs"] for run in models if not run.error]
    assert {one["usage_metadata"]["total_tokens"] for one in told} == {120}
    assert {one["response_metadata"].get("cost_usd") for one in told} == {0.25, None}
    (failed,) = [run for run in models if run.error]
    assert failed.error.startswith("ValueError(")


async def test_usage_is_counted_as_ever():
    shown, hidden = UsageMetadataCallbackHandler(), UsageMetadataCallbackHandler()
    named = [{"model": ScriptedChat(replies=["It is."], model_name="one")}]
    await by_afuse(shown, config(panel=named))
    await by_afuse(hidden, config(panel=named, trace_content=False))
    assert shown.usage_metadata == hidden.usage_metadata


class _Heard:
    def __init__(self):
        self.heard = []


class Handler(_Heard, BaseCallbackHandler):
    """No tracer of LangChain's, as those of other vendors are; one hook of each kind, and one nobody knows."""

    def on_chat_model_start(self, serialized, messages, **more):
        self.heard.append(repr((serialized, messages, more)))

    def on_llm_new_token(self, token, *, chunk, **more):
        self.heard.append(repr((token, chunk, more)))

    def on_chain_end(self, outputs, **more):
        self.heard.append(repr((outputs, more)))

    def on_tool_start(self, serialized, input_str, *, inputs, **more):
        self.heard.append(repr((serialized, input_str, inputs, more)))

    def on_custom_event(self, name, data, **more):
        self.heard.append(repr((name, data, more)))


class AsyncHandler(_Heard, AsyncCallbackHandler):
    async def on_llm_start(self, serialized, prompts, **more):
        self.heard.append(repr((serialized, prompts, more)))

    async def on_tool_end(self, output, **more):
        self.heard.append(repr((output, more)))

    async def on_llm_error(self, error, **more):
        self.heard.append(repr((error, more)))


class Slotted(BaseCallbackHandler):
    __slots__ = ("heard",)

    def __init__(self):
        self.heard = []

    def on_llm_end(self, response, **more):
        self.heard.append(repr((response, more)))


@pytest.mark.parametrize("kind", [Handler, AsyncHandler, Slotted])
async def test_handlers_that_are_no_tracers_are_told_no_more(kind):
    shown, hidden = kind(), kind()
    await by_the_graph(shown, config())
    await by_the_graph(hidden, config(trace_content=False))
    assert CANARY in "".join(shown.heard)
    assert CANARY not in "".join(hidden.heard)
    assert len(hidden.heard) == len(shown.heard) > 0


async def test_what_the_caller_himself_reads_is_whole():
    graph = build_graph(panel_tools=[lookup])
    asked = {"question": QUESTION, "context": KNOWN}
    events = [event async for event in graph.astream_events(asked, context=config(trace_content=False))]
    assert CANARY in repr(events)
    with collect_runs() as collected:
        result = await afuse(QUESTION, config(trace_content=False), panel_tools=[lookup])
    assert CANARY in repr([run.outputs for run in collected.traced_runs])
    assert CANARY in result.answer


async def test_a_failed_run_tells_its_caller_why_and_its_tracer_only_that():
    settings = config(panel=[seat("three", ValueError(f"bad {CANARY}"))], trace_content=False)
    tracer = Tracer()
    with pytest.raises(PanelFailed, match=CANARY):
        await by_the_graph(tracer, settings)
    assert CANARY not in tracer.said()
    assert "PanelFailed" in tracer.said()


@pytest.mark.loopback
async def test_a_resumed_run_keeps_to_the_configuration_it_began_with(provider):
    provider.reply("test/one", f"A {CANARY} is a flower.")
    provider.reply(WRITER, f"A {CANARY}.")
    graph, thread = build_graph(checkpointer=InMemorySaver()), {"thread_id": "1"}
    settings = panel("test/one", trace_content=False)
    await graph.ainvoke(
        {"question": QUESTION}, {"configurable": thread}, context=settings, interrupt_before=["synthesize"]
    )
    tracer = Tracer()
    await graph.ainvoke(None, {"configurable": thread, "callbacks": [tracer]})
    assert {"synthesize", "ground"} <= {run.name for run in tracer.inside()}
    assert CANARY not in tracer.said()


# LangSmith ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def posted(monkeypatch):
    """What LangSmith clients send, whoever makes them; nothing leaves."""
    sent = []

    def request(*_, data=b"", **more):
        sent.append(f"{data.decode()}{more.get('json', '')}")
        answer = requests.Response()
        answer.status_code, answer._content = 202, b"{}"
        return answer

    monkeypatch.setattr(requests.Session, "request", request)
    return sent


def client():
    return Client("http://127.0.0.1:9", api_key="k", auto_batch_tracing=False, info={})


async def as_a_handler(settings):
    mine = client()
    with tracing_v2_enabled(client=mine):
        await afuse(QUESTION, settings, context=KNOWN, panel_tools=[lookup])
    mine.flush()


async def by_the_environment(settings):
    await afuse(QUESTION, settings, context=KNOWN, panel_tools=[lookup])
    run_trees.get_cached_client().flush()


@pytest.mark.parametrize("way", [as_a_handler, by_the_environment])
@pytest.mark.parametrize("shown", [True, False])
async def test_nothing_that_was_said_goes_to_langsmith(posted, monkeypatch, way, shown):
    if way is by_the_environment:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        utils.get_env_var.cache_clear()
        monkeypatch.setattr(run_trees, "_CLIENT", client())
    await way(config(trace_content=shown))
    utils.get_env_var.cache_clear()
    sent = "\n".join(posted)
    for name in ("fusion", "synthesize", "lookup", "consulted", "ScriptedChat"):
        assert f'"name":"{name}"' in sent
    assert '"total_tokens":120' in sent
    assert '"cost_usd":0.25' in sent
    assert (CANARY in sent) is shown
