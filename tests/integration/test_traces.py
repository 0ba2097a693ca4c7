"""What tracers see of a run: with `trace_content` off its shape, times, tokens and cost, and nothing that was said."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest
from langchain.agents import create_agent
from langchain.tools import tool
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.tracers.base import AsyncBaseTracer, BaseTracer
from langchain_core.tracers.context import collect_runs, tracing_v2_enabled
from langchain_core.tracers.langchain import LangChainTracer
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph
from langsmith import Client

from fusion_tool import FusionConfig, FusionTool, PanelFailed, afuse, astream, build_graph, fuse
from fusion_tool.tracing import content_free
from fusion_tool.testing import ScriptedChat, calls, fake_config

CANARY = "heliotrope"
QUESTION = f"What is a {CANARY}?"


@tool
async def lookup(word: str) -> str:
    """Look a word up."""
    if word.endswith("!"):
        raise ValueError(f"no {word}")
    return f"{word} is a flower"


def seat(name, *replies):
    return {"model": ScriptedChat(replies=replies, model_name=name, cost_usd=0.25)}


def config(**fields):
    """A canary in every prompt, answer, tool argument, tool result and error."""
    called = calls("lookup", word=CANARY), calls("lookup", word=f"{CANARY}!"), f"A {CANARY} is a flower."
    broken = ValueError(f"the provider says: {QUESTION} is a bad question")
    return fake_config(panel=[seat("one", *called), seat("two", *called), seat("three", broken)], **fields)


class Recorder(BaseTracer):
    """Keeps every run as a tracer would send it."""

    def __init__(self):
        super().__init__()
        self.runs = []

    def _persist_run(self, run):
        self.runs.append(run)

    def all(self):
        def walk(runs):
            for run in runs:
                yield run
                yield from walk(run.child_runs)

        return list(walk(self.runs))

    @property
    def text(self):
        return json.dumps([self.told(run) for run in self.all()], default=str)

    @staticmethod
    def told(run):
        return [run.name, run.inputs, run.outputs, run.error, run.extra, run.events, run.serialized, run.tags]


class AsyncRecorder(AsyncBaseTracer, Recorder):
    def __init__(self):
        AsyncBaseTracer.__init__(self)
        self.runs = []

    async def _persist_run(self, run):
        self.runs.append(run)


class Plain(BaseCallbackHandler):
    """No tracer of LangChain's, as those of other vendors are."""

    def __init__(self):
        self.seen = []

    def __getattribute__(self, name):
        if name.startswith("on_") and not type(self).__name__.startswith("ContentFree"):
            return lambda *given, **more: self.seen.append((name, repr(given), repr(more)))
        return super().__getattribute__(name)


def quiet_or_not():
    return pytest.mark.parametrize("shown", [True, False], ids=["on", "off"])


async def by_afuse(tracer, settings):
    await content(afuse(QUESTION, settings, panel_tools=[lookup]), tracer)


async def content(work, tracer):
    """Whatever is done, under `tracer` as the caller's handler."""
    from langchain_core.runnables import RunnableLambda

    async def inside(_):
        return await work

    caller = RunnableLambda(inside)
    await caller.ainvoke({}, {"callbacks": [tracer]})
