"""Calls as users write them, for type checkers alone: nothing is wrong with the first ones, something with each other.

`make check` holds it before pyright and mypy, both strict and without any plugin. An `ignore` that nothing needs is an
error, so that each wrong call is one.
"""

from pathlib import Path

from langchain_core.language_models import FakeListChatModel

from fusion_tool import (
    ChatFusion,
    Fetch,
    FusionConfig,
    FusionResult,
    FusionTool,
    Limits,
    Panelist,
    Search,
    afuse,
    astream,
    fuse,
)
from fusion_tool.testing import fake_config

model = FakeListChatModel(responses=["x"])
names: list[str] = ["openai:a", "openai:b"]

config = FusionConfig(
    panel=["openai:a", model, Panelist("openai:c", fallbacks=["openai:d"]), {"model": "openai:e", "seat": "e"}],
    judge="openai:j",
    synthesizer={"model": "openai:s", "temperature": 0.2},
    limits={"usd": 1, "seconds": 60},
    search={"providers": ["brave"]},
    fetch={"allowed_private_hosts": ["wiki.corp"]},
    documents=["notes", Path("more")],
    excluded_domains=["example.org"],
)
FusionConfig(
    panel=names, documents="notes", search=None, verify="openai:v", limits=Limits(usd=1), fetch=Fetch(max_mb=1)
)
FusionConfig(panel=(Panelist(model=model),), documents={"path": "notes", "send_to": "local"}, search=False)
Search(providers=("brave", "exa"), cache_seconds=60)
result: FusionResult = fuse("Q?", config, limits={"usd": 1}, panel=["openai:a"], deny=["anthropic/*"])
fuse(question="Q?", preset="fast", limits={"usd": 1})
FusionTool("budget", name="research", limits={"seconds": 90}, session_limits={"usd": 1}, excluded_domains=["a.org"])
ChatFusion(temperature=0.2, timeout=60, panel=names, limits={"seconds": 120}, tags=["mine"])
fake_config("One.", "Two.", strategy="cascade", limits={"seconds": 5})


async def ask() -> None:
    """Ask in the ways without threads."""
    answer: FusionResult = await afuse("Q?", "budget", judge="openai:j", quality=0.9)
    assert answer.answer
    async for event in astream("Q?", "budget", follow_up=True, search={"cache_seconds": 60}):
        assert event["type"]


FusionConfig()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
FusionConfig(panel=names, pannel=names)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
FusionConfig(panel=names, strategy="best")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
FusionConfig(panel=names, excluded_domains="a.org")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
FusionConfig(panel=names, limits={"usdd": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Panelist("openai:a", temperature="hot")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Limits(usdd=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
fuse("Q?", stratgy="solo")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
fuse("Q?", max_tool_calls="four")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
FusionTool(limits={"usdd": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChatFusion(temperatur=0.2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
