"""Answers of a schema: the synthesizer is asked for it, and what it wrote is read strictly."""

import json
from operator import itemgetter
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass


class StructuredAnswer(BaseOutputParser[Any]):
    """Reads an answer of a schema.

    JSON that was cut off is an error, and is not completed by guesswork. A stream gives one value, at its end: nothing
    can be said of a part.

    Args:
        wanted: A pydantic class, of which it makes an instance; else the answer is a dict.
        required: The keys that a dict must have.
    """

    wanted: Any
    required: list[str]

    def parse(self, text: str) -> Any:
        """What `text` holds.

        Raises:
            OutputParserException: No JSON, or not of the schema.
        """
        try:
            return self._read(parse_json_markdown(text, parser=json.loads))
        except ValueError as error:
            raise OutputParserException(f"the answer is not of the schema: {error}", llm_output=text) from error

    def _read(self, value: Any) -> Any:
        if _is_model(self.wanted):
            read = self.wanted.model_validate if hasattr(self.wanted, "model_validate") else self.wanted.parse_obj
            return read(value)
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {type(value).__name__}")  # noqa: TRY004 - as all other misfits
        if missing := [key for key in self.required if key not in value]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        return value

    @property
    def _type(self) -> str:
        return "structured_answer"


def structured(model: BaseChatModel, schema: dict[str, Any] | type, *, include_raw: bool) -> Runnable[Any, Any]:
    """`model`, whose answers are of `schema`; as `BaseChatModel.with_structured_output` has it."""
    wanted = convert_to_json_schema(schema)
    traced = {"kwargs": {"method": "json_schema"}, "schema": schema}
    asked = model.bind(answer_schema=wanted, ls_structured_output_format=traced)
    parser = StructuredAnswer(wanted=schema, required=wanted.get("required", []))
    if not include_raw:
        return asked | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _is_model(schema: Any) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)
