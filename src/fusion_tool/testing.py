"""Fakes for the tests of code that uses this package: no network, no key, nothing to wait for.

    from fusion_tool import FusionTool
    from fusion_tool.testing import ScriptedChat, calls, fake_config

    def test_the_agent_researches_before_it_answers():
        tool = FusionTool(fake_config(answer="Paris."))
        model = ScriptedChat(replies=[calls("fusion_research", question="Capital of France?"), "It is Paris."])
        agent = create_agent(model, tools=[tool])
        ...

The run itself is real: the graph, the prompts, the audit and the bill; only the models are scripted. What a seat
asked its model stands in `ScriptedChat.prompts`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeAlias, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.settings import Settings
from fusion_tool.graph.result import Analysis

Scripted: TypeAlias = str | AIMessage | Exception | Callable[[list[BaseMessage]], "str | AIMessage"]
"""One reply: a text, a whole message, an error to raise, or a function of the prompt that gives a text or a message."""

_USAGE = UsageMetadata(input_tokens=100, output_tokens=20, total_tokens=120)
_NOTHING_TO_SAY = Analysis(
    consensus=[], contradictions=[], partial_coverage=[], unique_insights=[], blind_spots=[], unsupported_claims=[]
).model_dump_json()


class ScriptedChat(BaseChatModel):
    """A chat model that says what a test tells it to; it takes tools, streams, and reports usage.

    Args:
        replies: The replies, one for each call in order; the last one is repeated.
        model_name: Its name in results and bills.
        usage: The tokens that every call reports; `None` for a model that does not say. A reply that is an
            `AIMessage` with `usage_metadata` of its own keeps it.
        cost_usd: What every call costs in US dollars, as a provider would report it; `None` for unknown.
        chunk_size: Characters of each streamed delta.

    A model that cannot call tools is `ScriptedChat(replies=[...], profile={"tool_calling": False})`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    replies: Sequence[SkipValidation[Scripted]] = Field(min_length=1)
    model_name: str = "scripted"
    usage: UsageMetadata | None = _USAGE
    cost_usd: float | None = None
    chunk_size: int = Field(default=8, ge=1)

    _prompts: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    @property
    def prompts(self) -> list[list[BaseMessage]]:
        """The messages of every call so far, in order."""
        return self._prompts

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind `tools` to the model; the script alone decides whether it calls them."""
        offered = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=offered, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        await asyncio.sleep(0)  # a real model lets others run
        return self._generate(messages, stop, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        del stop, kwargs
        for chunk in self._chunks(messages):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        del stop, kwargs
        for chunk in self._chunks(messages):
            await asyncio.sleep(0)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        scripted = self.replies[min(len(self._prompts), len(self.replies) - 1)]
        self._prompts.append(list(messages))  # before it may raise: a test of failures counts its calls, too
        if isinstance(scripted, Exception):
            raise scripted
        reply = scripted if isinstance(scripted, str | AIMessage) else scripted(messages)
        message = AIMessage(reply) if isinstance(reply, str) else reply
        finish = {"finish_reason": "tool_calls" if message.tool_calls else "stop"}
        cost = {} if self.cost_usd is None else {"cost_usd": self.cost_usd}
        return message.model_copy(
            update={
                "usage_metadata": message.usage_metadata or self.usage,
                "response_metadata": {**finish, **cost, **message.response_metadata},
            }
        )

    def _chunks(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        message = self._next(messages)
        text = message.text
        for start in range(0, len(text), self.chunk_size):
            yield _chunk(AIMessageChunk(content=text[start : start + self.chunk_size]))
        tool_calls = [
            tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            for index, call in enumerate(message.tool_calls)
        ]
        # Tokens, cost and finish reason come once, at the end, as from a real endpoint: joining chunks adds them up.
        yield _chunk(
            AIMessageChunk(
                content="",
                tool_call_chunks=tool_calls,
                usage_metadata=message.usage_metadata,
                response_metadata=message.response_metadata,
                chunk_position="last",
            )
        )


def calls(tool: str, /, *, call_id: str = "call-1", **arguments: Any) -> AIMessage:
    """Return a reply that calls `tool` with `arguments`.

    Args:
        tool: The tool's name.
        call_id: The id of the call, which the tool's message repeats.
        arguments: What the tool is called with.
    """
    return AIMessage("", tool_calls=[tool_call(name=tool, args=arguments, id=call_id)])


def fake_config(
    *seats: Scripted,
    answer: Scripted = "A scripted answer.",
    analysis: Analysis | Scripted = _NOTHING_TO_SAY,
    **overrides: Unpack[Settings],
) -> FusionConfig:
    """Return a configuration whose models are all scripted: no key, no network, no shell.

    Args:
        seats: What each seat answers, over and over; by default two seats say what `answer` says.
        answer: What the synthesizer writes.
        analysis: What the judge replies; an `Analysis` names answers by their letters, A, B, C.
        overrides: Fields of `FusionConfig`, such as `panel`, `limits` or `strategy`.

    Raises:
        ConfigError: More than 8 seats, or a wrong override.
    """
    verdict = analysis.model_dump_json() if isinstance(analysis, Analysis) else analysis
    panel = tuple(
        _panelist(f"scripted-{number}", reply) for number, reply in enumerate(seats or (answer, answer), start=1)
    )
    # Without search, shell and health a test opens no socket, starts no process and writes no file.
    defaults: dict[str, Any] = {
        "panel": panel,
        "judge": _panelist("scripted-judge", verdict),
        "synthesizer": _panelist("scripted-synthesizer", answer),
        "search": None,
        "bash": "off",
        "health": False,
    }
    return FusionConfig(**{**defaults, **overrides})


def _panelist(name: str, reply: Scripted) -> Panelist:
    return Panelist(model=ScriptedChat(replies=[reply], model_name=name))


def _chunk(message: AIMessageChunk) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=message)
