"""`ChatFusion`: a panel as a LangChain chat model."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, Callbacks
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from fusion_tool.api.chat_messages import (
    MODEL_NAME,
    StreamedAnswer,
    cut_at_stop,
    message_metadata,
    to_run_input,
    with_sampling,
)
from fusion_tool.api.chat_support import in_own_context, structured_output, tracer_callbacks
from fusion_tool.api.panel_runner import PanelRunner
from fusion_tool.api.run_store import StorePlace
from fusion_tool.api.runner import final_result
from fusion_tool.api.sync import iterate_sync, run_sync
from fusion_tool.budget.session import SessionSpent
from fusion_tool.config.loading import ConfigLike, resolve_config
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.config.serialization import dump_config
from fusion_tool.config.settings import SessionLimits, Settings
from fusion_tool.errors import ConfigError
from fusion_tool.events import Event
from fusion_tool.graph.cited_answer import sources_tail

_NO_TOOLS = (
    "ChatFusion calls no tools: a panel cannot be an agent's own loop. Give FusionTool to an agent that has a model of "
    "its own, or serve the model 'fusion-agent' (fusion-tool serve); for answers of a schema use with_structured_output"
)


class ChatSettings(Settings, total=False):
    """What a `ChatFusion` may be set to, for type checkers: a run's settings, and LangChain's own of a chat model."""

    temperature: float | None
    max_tokens: int | None
    timeout: float | None
    stop: list[str] | None
    streaming: bool
    name: str | None
    verbose: bool
    callbacks: Callbacks
    tags: list[str] | None
    metadata: dict[str, Any] | None
    custom_get_token_ids: Callable[[str], list[int]] | None
    rate_limiter: BaseRateLimiter | None
    disable_streaming: bool | Literal["tool_calling"]
    output_version: str | None
    profile: ModelProfile | None


class ChatFusion(BaseChatModel):
    """A chat model whose every answer is a panel's.

    The last message is the question, earlier ones are context for every seat, and system messages tell the synthesizer
    how to write. Text only. Its content is the text; `content_blocks` carry the citations as annotations of it.
    `usage_metadata` is the sum over all models; `response_metadata` holds `cost_usd`, the `run_id`, and the whole
    `FusionResult` as a dict under `fusion`: citations, analysis, what each seat said.

    A stream gives the answer's own text. Where the synthesizer breaks off after its first token the run goes on, and
    the stream ends with `AnswerRestarted`, which holds the whole result.

    Args:
        config: As `FusionTool`'s, and so are `panel_tools`, `session_limits`, `session`, `keep` and `overrides`.
            `cache` is the panel's, not LangChain's.
        temperature: The synthesizer's, as it writes what is read. A seat's is set on its `Panelist`.
        max_tokens: The synthesizer's.
        timeout: Seconds that a run may take: `limits.seconds`.
        stop: Texts at which an answer ends; what follows is cut off.
        streaming: Stream inside `invoke` too, as other chat models understand it.

    Raises:
        ConfigError: The configuration is wrong, there is none and no key either, or `temperature` or `max_tokens` is
            given where the synthesizer is a model object.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    stop: list[str] | None = None
    streaming: bool = False

    _panel: PanelRunner = PrivateAttr()

    def __init__(
        self,
        config: ConfigLike = None,
        *,
        panel_tools: Sequence[Any] = (),
        session_limits: Limits | SessionLimits | None = None,
        session: str | None = None,
        keep: StorePlace | bool = False,
        **overrides: Unpack[ChatSettings],
    ) -> None:
        values: dict[str, Any] = {**overrides}
        # `cache` is a field of both, and means the panel's here: LangChain's never hits while streaming.
        own = type(self).model_fields.keys() - FusionConfig.model_fields.keys()
        super().__init__(**{name: values.pop(name) for name in own & values.keys()})
        settings = resolve_config(config, **values)
        if self.timeout is not None:
            settings = resolve_config(settings, limits={"seconds": self.timeout})
        settings = with_sampling(settings, temperature=self.temperature, max_tokens=self.max_tokens)
        self._panel = PanelRunner(settings, panel_tools, session_limits, session, keep)

    @property
    def config(self) -> FusionConfig:
        """The configuration that every call runs with."""
        return self._panel.config

    @property
    def spent(self) -> SessionSpent:
        """What all calls of this object so far took, unfinished ones included: `usd`, `tokens`, `seconds`."""
        return self._panel.session.spent

    @property
    def model_name(self) -> str:
        """The name under which its messages are listed: `fusion`."""
        return MODEL_NAME

    @property
    def _llm_type(self) -> str:
        return MODEL_NAME

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": MODEL_NAME, "stop": self.stop, "config": dump_config(self.config)}

    def _resolve_model_profile(self) -> ModelProfile:
        # A program that looks before it binds tools learns here what `bind_tools` would raise.
        return ModelProfile(tool_calling=False)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Refuse tools, which a panel does not call.

        Raises:
            NotImplementedError: Always; it says what to use instead.
        """
        raise NotImplementedError(_NO_TOOLS)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return the panel with answers of `schema`, for which the synthesizer is asked.

        Args:
            schema: A pydantic class, a `TypedDict`, or a JSON schema as a dict.
            include_raw: Give a dict of `raw`, `parsed` and `parsing_error`.
            kwargs: `method` and `strict` are taken for the interface's sake; there is one way.

        Returns:
            A runnable that gives an instance of a pydantic class, else a dict that has the schema's required keys. In
            a stream it comes once, at the end.

        Raises:
            OutputParserException: From the runnable, without `include_raw`: the answer is not of the schema.
            ValueError: There are other options.
        """
        if unknown := kwargs.keys() - {"method", "strict"}:
            raise ValueError(f"with_structured_output takes no {', '.join(sorted(unknown))}")
        return structured_output(self, schema, include_raw=include_raw)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = await final_result(self._events(messages, kwargs, run_manager, is_watched=False))
        text = cut_at_stop(self._stops(stop), result["answer"])
        tail, metadata = self._tail(result, kwargs, len(text)), message_metadata(result, len(text))
        message = AIMessage(text + tail, **metadata)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        answer = StreamedAnswer(self._stops(stop))
        async with aclosing(self._events(messages, kwargs, run_manager, is_watched=True)) as events:
            async for event in events:
                if text := answer.feed(event):
                    yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        rest = answer.close()
        rest += self._tail(answer.result, kwargs, answer.length)
        # Usage and result come with the last chunk alone: joining chunks would add the tokens up.
        metadata = message_metadata(answer.result, answer.length)
        yield ChatGenerationChunk(message=AIMessageChunk(content=rest, chunk_position="last", **metadata))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return run_sync(self._agenerate(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        return iterate_sync(self._astream(messages, stop, run_manager, **kwargs))

    def _events(
        self, messages: Sequence[BaseMessage], options: Mapping[str, Any], run: object, *, is_watched: bool
    ) -> AsyncGenerator[Event, None]:
        # Bound by `bind(tools=...)`, past `bind_tools`: an agent would go on without tools, and not know it.
        if "tools" in options:
            raise NotImplementedError(_NO_TOOLS)
        # An option that is passed over in silence would look obeyed.
        for name in options.keys() - {"answer_schema", "max_tokens", "stream", "temperature"}:
            raise ConfigError("no call takes it, only stop, temperature and max_tokens", field=name)
        sampling = {name: options.get(name) for name in ("temperature", "max_tokens")}
        config, request = with_sampling(self.config, **sampling), to_run_input(messages, options.get("answer_schema"))
        events = self._panel.stream(request, is_watched=is_watched, config=config, callbacks=tracer_callbacks(run))
        # The callbacks alone would not do: LangGraph adds those that it finds in the context.
        return in_own_context(events)

    def _tail(self, result: Mapping[str, Any], options: Mapping[str, Any], length: int) -> str:
        """Return the list of sources that ends a message, where one is wanted."""
        # None behind JSON, which would not be JSON any more.
        is_listed = self.config.list_sources and not options.get("answer_schema")
        return sources_tail(result["citations"], length) if is_listed else ""

    def _stops(self, stop: list[str] | None) -> Sequence[str]:
        return stop or self.stop or ()
