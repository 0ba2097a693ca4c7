"""Whom a panel of one's own asks, over the default preset: nobody that was not named."""

import pytest

from fusion_tool import ChatFusion, FusionTool, afuse, astream, fuse
from tests.integration.panel import JUDGE, QUESTION, WRITER, verdict

SEATS = ("test/one", "test/two")
NAMED = [f"openrouter:{name}" for name in SEATS]
QUIET = {"search": None, "bash": "off"}
CASES = {
    "a panel alone": ({}, {*SEATS}),
    "with a judge": ({"judge": f"openrouter:{JUDGE}"}, {*SEATS, JUDGE}),
    "with a writer": ({"synthesizer": f"openrouter:{WRITER}"}, {*SEATS, WRITER}),
}


async def by_afuse(**settings):
    await afuse(QUESTION, **settings)


async def by_fuse(**settings):
    fuse(QUESTION, **settings)


async def by_astream(**settings):
    async for _ in astream(QUESTION, **settings):
        pass


async def by_tool(**settings):
    await FusionTool(**settings).ainvoke({"question": QUESTION})


async def by_chat_model(**settings):
    await ChatFusion(**settings).ainvoke(QUESTION)


@pytest.mark.loopback
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ask", [by_afuse, by_fuse, by_astream, by_tool, by_chat_model])
async def test_the_models_that_are_asked_are_those_that_were_named(provider, ask, case):
    provider.otherwise(verdict())
    named, expected = CASES[case]
    await ask(panel=NAMED, **named, **QUIET)
    assert set(provider.counts) == expected
