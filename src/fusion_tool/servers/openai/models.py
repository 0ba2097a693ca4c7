"""The models that a server offers, and its list of them.

Protocol: https://platform.openai.com/docs/api-reference/models/list; `description` is an addition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from fusion_tool.config.presets import built_in_names, preset_description
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.words import did_you_mean
from fusion_tool.servers.keys import ANONYMOUS, Caller, caller_of
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.openrouter import preset_of_alias

PANEL, AGENT = "fusion", "fusion-agent"
_SINCE = 1_767_225_600
"""A fixed `created`, in Unix seconds: the protocol requires one, and a configured panel has none."""


@dataclass(frozen=True)
class ModelCatalog:
    """The models of a server: the configured panel, the agent, and presets; to a caller those that the key may ask.

    Args:
        presets: Presets, each served as `fusion-NAME`.
        caller: Who asks.
    """

    presets: Mapping[str, FusionConfig] = field(default_factory=dict)
    caller: Caller = ANONYMOUS

    def for_caller(self, caller: Caller) -> "ModelCatalog":
        """Return the catalog as `caller` sees it."""
        allowed = {name: one for name, one in self.presets.items() if caller.may_ask(f"{PANEL}-{name}")}
        return ModelCatalog(allowed, caller)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(name for name, _ in self.models())

    def preset_of(self, model: str) -> str | None:
        """Return the preset that `model` stands for; `None` for the configured panel and the agent.

        Raises:
            ApiError: 404; nothing is served under this name.
        """
        served = _served_name(model)
        if served not in self.names:
            also = f" ({served} here)" if served != model else did_you_mean(model, self.names)
            raise ApiError(
                f"no model '{model}'{also} is served here; there are {', '.join(self.names)}",
                status=404,
                param="model",
                code="model_not_found",
            )
        return None if served in (PANEL, AGENT) else served.removeprefix(f"{PANEL}-")

    async def list_all(self, request: Request) -> JSONResponse:
        """Answer `GET /v1/models`."""
        models = self.for_caller(caller_of(request.scope)).models()
        return JSONResponse({"object": "list", "data": [_model_object(*model) for model in models]})

    async def get(self, request: Request) -> JSONResponse:
        """Answer `GET /v1/models/NAME`."""
        name, catalog = request.path_params["name"], self.for_caller(caller_of(request.scope))
        catalog.preset_of(name)
        return JSONResponse(_model_object(name, dict(catalog.models())[_served_name(name)]))

    def models(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each model, and what it is."""
        if self.caller.may_ask(PANEL):
            yield PANEL, "the configured panel"
        if self.caller.may_ask(AGENT):
            yield AGENT, "a model with your tools, and the panel as one more"
        for name in self.presets:
            is_ours = name in built_in_names()
            yield f"{PANEL}-{name}", preset_description(name) if is_ours else "a preset of this server"


def _served_name(model: str) -> str:
    """Return the name here of one of OpenRouter's models; any other name as it is."""
    try:
        preset = preset_of_alias(model)
    except KeyError:
        return model
    return PANEL if preset is None else f"{PANEL}-{preset}"


def _model_object(name: str, about: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _SINCE, "owned_by": "fusion-tool", "description": about}
