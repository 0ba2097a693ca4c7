"""What a model can do, where that changes how it is asked; and structured replies, for whatever it can do.

- `Capabilities`: tools, JSON schema, context window, citations; and the path to an answer that they make.
- `structured_output_methods`, `first_accepted`: the methods that an endpoint may take, tried strictest first.
- `ask_structured`: one reply, parsed, and corrected once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import Reason
from fusion_tool.models.abilities import known_abilities
from fusion_tool.models.call import ModelCallError, ModelReply

AnswerPath: TypeAlias = Literal["tools", "evidence", "claims"]
"""How a seat comes to its answer: it looks for itself, over evidence gathered for it, or by claims under a schema."""
SMALL_WINDOW = 2048
"""Tokens of context in which the usual prompts, sources and an answer do not fit together."""


@dataclass(frozen=True)
class Capabilities:
    """A model's abilities.

    Args:
        tools: Whether it can call tools.
        json_schema: Whether its endpoint takes OpenAI's `response_format` with a JSON schema; `None`: try and see.
        max_input_tokens: Its context window in tokens, `None` where unknown.
        cites: Whether it cites what it was told to, `None` where it was not tried.
    """

    tools: bool
    json_schema: bool | None
    max_input_tokens: int | None
    cites: bool | None = None

    @property
    def path(self) -> AnswerPath:
        """The path to its answer."""
        if self.has_small_window or (self.small and self.json_schema is not False):
            return "claims"
        return "tools" if self.tools else "evidence"

    @property
    def small(self) -> bool:
        """Whether it does not do what the usual prompts say, or they do not fit: it gets short ones with an example."""
        return self.has_small_window or self.cites is False

    @property
    def has_small_window(self) -> bool:
        """Whether its context is so small that answers, too, must be bounded by a schema."""
        return self.max_input_tokens is not None and self.max_input_tokens <= SMALL_WINDOW


def capabilities_of(panelist: Panelist, model: Any) -> Capabilities:
    """Return what `model` can do: what it did in its trial, else what its profile and the panelist's settings say."""
    profile = getattr(model, "profile", None) or {}
    # Other packages translate `response_format` themselves, each in its own way, or drop it.
    compatible = "ChatOpenAI" in {cls.__name__ for cls in type(model).__mro__}
    structured = profile.get("structured_output")
    abilities = known_abilities(panelist)
    # LangChain has profiles for known models only; for a model on the user's own server its class has to do.
    return Capabilities(
        tools=abilities.calls_tools if abilities else bool(profile.get("tool_calling", _binds_tools(model))),
        json_schema=structured if compatible else False,
        max_input_tokens=panelist.max_input_tokens or profile.get("max_input_tokens"),
        cites=abilities.cites if abilities else None,
    )


def _binds_tools(model: Any) -> bool:
    """Tell whether the model's class implements `bind_tools` itself; the base class only raises."""
    from langchain_core.language_models import BaseChatModel

    return getattr(type(model), "bind_tools", None) is not BaseChatModel.bind_tools


Parsed = TypeVar("Parsed")
Ask: TypeAlias = Callable[[Any, Sequence[BaseMessage]], Awaitable[ModelReply]]
"""Calls a model, bound to one of the methods, with a prompt."""


class InvalidReplyError(ValueError):
    """A reply that does not hold what it should; the message tells the model what is wrong."""

    reason: Reason = "invalid_output"


def structured_output_methods(
    model: Any, name: str, schema: dict[str, Any], *, takes_schema: bool | None, tools: bool
) -> list[Any]:
    """Bind `model` to each method of getting a structured reply that it may know, the strictest first.

    Args:
        model: A chat model.
        name: The schema's name.
        schema: The JSON schema of the reply.
        takes_schema: Whether its endpoint takes OpenAI's `response_format`; `None`: try and see.
        tools: Whether it can call functions, and may here.

    Returns:
        At least one runnable; the last one asks in prose.
    """
    # A schema that the endpoint enforces comes first; a forced function is next, as models only tend to keep to its
    # parameters; prose comes last and is always taken, so that no model is without a method.
    methods: list[Any] = []
    if takes_schema is not False:
        response_format: dict[str, Any] = {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": True, "schema": schema},
        }
        # An object of any shape has a form of its own: as a schema it is not strict, and would be refused.
        if schema == {"type": "object"}:
            response_format = {"type": "json_object"}
        methods.append(model.bind(response_format=response_format))
    if tools:
        function = {"name": name, "description": "Hand in the reply.", "parameters": schema}
        methods.append(model.bind_tools([{"type": "function", "function": function}], tool_choice=name))
    return [*methods, model]


async def first_accepted(methods: Sequence[Any], ask: Callable[[Any], Awaitable[ModelReply]]) -> tuple[ModelReply, Any]:
    """Return the first reply by a method that the model's endpoint takes, and that method.

    Raises:
        ModelCallError: The endpoint took a method, and gave no usable reply.
    """
    for method in methods[:-1]:
        try:
            return await ask(method), method
        except ModelCallError as error:
            # No profile tells reliably what an endpoint takes: its own refusal of the parameter does.
            if not error.fault.rejects("response_format", "tools", "tool_choice"):
                raise
    return await ask(methods[-1]), methods[-1]


class StructuredModel:
    """A model that replies by one schema.

    Args:
        methods: As `structured_output_methods` gives them; those that the endpoint refused are not tried again.
    """

    def __init__(self, methods: Sequence[Any]) -> None:
        self._methods = methods

    async def reply(self, prompt: Sequence[BaseMessage], ask: Ask) -> tuple[ModelReply, Any]:
        """Return a reply to `prompt`, and the method by which it was given."""
        methods = self._methods  # calls run side by side: another may have shortened the list when this one ends
        reply, method = await first_accepted(methods, lambda method: ask(method, prompt))
        self._methods = methods[methods.index(method) :]
        return reply, method


async def ask_structured(
    model: StructuredModel,
    prompt: Sequence[BaseMessage],
    *,
    ask: Ask,
    parse: Callable[[ModelReply], Parsed],
    correction: Callable[[InvalidReplyError], str],
) -> Parsed:
    """Ask for a structured reply, and once more where the first one is invalid, saying what was wrong with it.

    Args:
        model: Who replies.
        prompt: The messages.
        ask: Makes each call.
        parse: Reads a reply; raises `InvalidReplyError` where it cannot.
        correction: The message that asks for another reply.

    Raises:
        ModelCallError: There was no usable reply.
        InvalidReplyError: Neither reply could be read.
    """

    def read(reply: ModelReply) -> Parsed:
        try:
            return parse(reply)
        except InvalidReplyError as error:
            error.reason = "truncated" if reply.truncated else error.reason
            raise

    reply, method = await model.reply(prompt, ask)
    try:
        return read(reply)
    except InvalidReplyError as error:
        # A call of a forced function has no text; without it the model would not see what is being corrected.
        first = AIMessage(reply.text or str(reply.message.tool_calls or reply.message.invalid_tool_calls))
        return read(await ask(method, [*prompt, first, HumanMessage(correction(error))]))


def reply_parts(reply: ModelReply) -> list[str | Mapping[str, Any]]:
    """Return where a structured reply may stand: its text, then the arguments of its calls, read or not.

    The calls come last, and so win where both hold what was asked for: they were meant to.
    """
    calls = [call["args"] for call in reply.message.tool_calls]
    return [reply.text, *calls, *(str(call.get("args") or "") for call in reply.message.invalid_tool_calls)]
