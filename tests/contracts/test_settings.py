"""What type checkers are told of the settings is what the settings are: the same names, and types as wide."""

import re
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from fusion_tool.api.chat_model import ChatFusion, ChatSettings
from fusion_tool.api.tool import FusionTool, ToolSettings
from fusion_tool.config import schema, settings

MODELS = {
    schema.Panelist: settings.PanelistSettings,
    schema.Limits: settings.LimitsSettings,
    schema.Search: settings.SearchSettings,
    schema.Fetch: settings.FetchSettings,
    schema.Documents: settings.DocumentsSettings,
    schema.FusionConfig: settings.ConfigSettings,
}
NAMES = vars(schema) | {"BaseChatModel": BaseChatModel}
PATHS = {str, Path, Sequence[str | Path]}
PANELIST = {schema.Panelist, settings.PanelistSettings, str, BaseChatModel}
WIDER = {"model": {str, BaseChatModel}, "path": PATHS, "documents": PATHS, "search": {Literal[False]}}
"""What a validator takes beside the field's own type."""


def members(kind: Any) -> set[Any]:
    """The members of a union, or the one type."""
    return set(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else {kind}


def accepted(kind: Any) -> set[Any]:
    """What may be passed for a field of this type."""
    if kind is schema.Panelist:
        return PANELIST
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {kind, MODELS[kind]}
    if get_origin(kind) is tuple:
        (item, _) = get_args(kind)
        return {Sequence[Union[*PANELIST]]} if item is schema.Panelist else {list[item], tuple[item, ...]}
    return {kind}


def spelled(kinds: set[Any]) -> set[str]:
    """The types as texts: of a union within a type the order says nothing."""
    return {" ".join(sorted(re.findall(r"[\w.]+", str(kind)))) for kind in kinds}


@pytest.mark.parametrize("model", MODELS)
def test_names_and_types_are_the_fields(model):
    told = get_type_hints(MODELS[model], NAMES)
    fields = get_type_hints(model, NAMES)
    assert told.keys() == model.model_fields.keys()
    for name in model.model_fields:
        own = set[Any]() if name in ("model", "path") else set().union(*map(accepted, members(fields[name])))
        flat = set().union(*(members(kind) for kind in members(told[name])))
        assert spelled(flat) == spelled(own | WIDER.get(name, set())), name


@pytest.mark.parametrize("model", MODELS)
def test_what_must_be_set_is_what_has_no_default(model):
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert MODELS[model].__required_keys__ == required


def test_a_call_may_set_what_a_configuration_may_and_needs_nothing():
    call = get_type_hints(settings.Settings, NAMES)
    assert call.pop("preset") == str | None
    assert call == get_type_hints(settings.ConfigSettings, NAMES)
    assert settings.Settings.__required_keys__ == frozenset()


@pytest.mark.parametrize(("told", "model"), [(ToolSettings, FusionTool), (ChatSettings, ChatFusion)])
def test_a_tool_and_a_chat_model_may_be_set_to_what_langchains_may_too(told, model):
    assert told.__annotations__.keys() == settings.Settings.__annotations__.keys() | model.model_fields.keys()
