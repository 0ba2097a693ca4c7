"""What `ChatFusion` needs of LangChain: answers of a schema, and tracers that see the run inside.

To everybody but a tracer, a chat model's call is one call with one bill. A handler that counts tokens would count those
of the models inside twice, and one that forwards them would forward drafts.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextvars import Context, copy_context
from operator import itemgetter
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler
from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough, ensure_config
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.base import AsyncBaseTracer
from langchain_core.tracers.context import _configure_hooks
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass

_MOST_REFERENCES = 8
"""References of a schema's root that are followed: they may lead in a circle."""


class StructuredAnswer(BaseOutputParser[Any]):
    """A parser of answers that have a schema.

    JSON that was cut off is an error, and is not completed by guesswork. A stream gives one value, at its end: nothing
    can be said of a part.

    Args:
        target: A pydantic class, of which it makes an instance; else the answer is a dict.
        required: The keys that a dict must have.
    """

    target: Any
    required: list[str]

    def parse(self, text: str) -> Any:
        """Return what `text` holds.

        Raises:
            OutputParserException: No JSON, or not of the schema.
        """
        try:
            return self.read(text)
        except ValueError as error:
            raise OutputParserException(str(error), llm_output=text) from error

    def read(self, text: str) -> Any:
        """Return what `text` holds, as `parse` does, without LangChain's words on what is wrong with it.

        Raises:
            ValueError: No JSON, or not of the schema.
        """
        try:
            # LangChain's default parser would close open brackets, and give half an object out as whole.
            return self._read(parse_json_markdown(text, parser=json.loads))
        except RecursionError:
            raise ValueError("the answer is not of the schema: it is nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"the answer is not of the schema: {error}") from error

    def _read(self, value: Any) -> Any:
        if _is_model(self.target):
            validate = self.target.model_validate if hasattr(self.target, "model_validate") else self.target.parse_obj
            return validate(value)
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {type(value).__name__}")  # noqa: TRY004 - as all other misfits
        if missing := [key for key in self.required if key not in value]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        return value

    @property
    def _type(self) -> str:
        return "structured_answer"


def structured_output(model: BaseChatModel, schema: dict[str, Any] | type, *, include_raw: bool) -> Runnable[Any, Any]:
    """Return `model` with answers of `schema`, in the form of `BaseChatModel.with_structured_output`."""
    json_schema = convert_to_json_schema(schema)
    traced = {"kwargs": {"method": "json_schema"}, "schema": schema}
    bound = model.bind(answer_schema=json_schema, ls_structured_output_format=traced)
    parser = StructuredAnswer(target=schema, required=required_keys(json_schema))
    if not include_raw:
        return bound | parser
    # LangChain's own form of `include_raw`: the reply is kept beside the error, as it is paid for.
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def required_keys(schema: Mapping[str, Any]) -> list[str]:
    """Return the keys that an object of a JSON schema must have.

    Args:
        schema: The schema; one that refers to a definition of its own, as recursive ones do, is that one.
    """
    node: Any = schema
    for _ in range(_MOST_REFERENCES):
        if not isinstance(node, Mapping) or not isinstance(reference := node.get("$ref"), str):
            break
        node = schema
        for name in reference.removeprefix("#").strip("/").split("/"):
            node = node.get(name) if isinstance(node, Mapping) and name else node
    keys = node.get("required") if isinstance(node, Mapping) else None
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _is_model(schema: Any) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


T = TypeVar("T")


def tracer_callbacks(run: object) -> AsyncCallbackManager:
    """Return the callbacks of a run inside a call: the call's tracers, its tags and its metadata.

    Args:
        run: The call's run manager. Where LangChain hands none over, as for most streams, the run inside stands beside
            the call, under what encloses both.
    """
    # Handlers of other kinds would count the models inside as calls of the caller's own.
    if isinstance(run, BaseRunManager):
        inside = AsyncCallbackManager([], parent_run_id=run.run_id)
        inside.add_tags(run.inheritable_tags)
        inside.add_metadata(run.inheritable_metadata)
        inside.set_handlers(_tracers(run.inheritable_handlers))
    else:
        inside = AsyncCallbackManager.configure(ensure_config().get("callbacks"))
        inside.set_handlers(_tracers(inside.inheritable_handlers))
    return inside


async def in_own_context(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield `items`, made in a context of its own: LangGraph would add the surrounding run's callbacks to the run's."""
    context = _empty_context()

    async def step() -> T:
        return await anext(items)

    try:
        while True:
            try:
                # A task a step: an async generator takes its context from whoever asks for the next item.
                item = await asyncio.create_task(step(), context=context)
            except StopAsyncIteration:
                return
            yield item
    finally:
        # In the same context: variables that were set in it can only be reset in it.
        await asyncio.create_task(items.aclose(), context=context)


def _empty_context() -> Context:
    context = copy_context()
    context.run(var_child_runnable_config.set, None)
    for variable, *_ in _configure_hooks:  # handlers of `with` statements, such as `get_usage_metadata_callback`
        if (handler := context.get(variable)) is not None and not _tracers([handler]):
            context.run(variable.set, None)
    return context


def _tracers(handlers: Iterable[Any]) -> list[BaseCallbackHandler]:
    return [handler for handler in handlers if isinstance(handler, BaseTracer | AsyncBaseTracer)]
