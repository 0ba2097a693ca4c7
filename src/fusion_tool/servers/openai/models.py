"""The models that a server offers, and its list of them.

Protocol: https://platform.openai.com/docs/api-reference/models/list; `description` is an addition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from fusion_tool.config.presets import preset_description
from fusion_tool.servers.openai.errors import ApiError

PANEL, AGENT = "fusion", "fusion-agent"
_SINCE = 1_767_225_600
"""A fixed `created`, in Unix seconds: the protocol requires one, and a configured panel has none."""


@dataclass(frozen=True)
class ModelCatalog:
    """The models of a server: the configured panel, the agent, and presets.

    Args:
        presets: Shipped presets, each served as `fusion-NAME`.
    """

    presets: tuple[str, ...] = ()

    def preset_of(self, model: str) -> str | None:
        """Return the preset that `model` stands for; `None` for the configured panel and the agent.

        Raises:
            ApiError: 404; nothing is served under this name.
        """
        if model in (PANEL, AGENT):
            return None
        prefix, _, name = model.partition("-")
        if prefix == PANEL and name in self.presets:
            return name
        raise ApiError(
            f"no model '{model}' is served here; there are {', '.join(name for name, _ in self._models())}",
            status=404,
            param="model",
            code="model_not_found",
        )

    async def list_all(self, _: Request) -> JSONResponse:
        """Answer `GET /v1/models`."""
        return JSONResponse({"object": "list", "data": [_model_object(*model) for model in self._models()]})

    async def get(self, request: Request) -> JSONResponse:
        """Answer `GET /v1/models/NAME`."""
        name = request.path_params["name"]
        self.preset_of(name)
        return JSONResponse(_model_object(name, dict(self._models())[name]))

    def _models(self) -> Iterator[tuple[str, str]]:
        yield PANEL, "the configured panel"
        yield AGENT, "a model with your tools, and the panel as one more"
        for name in self.presets:
            yield f"{PANEL}-{name}", preset_description(name)


def _model_object(name: str, about: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _SINCE, "owned_by": "fusion-tool", "description": about}
