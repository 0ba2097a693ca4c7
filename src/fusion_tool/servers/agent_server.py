"""What the graphs of Agent Server are made of: the user's file, who is the operator there, and a client's context.

The context is `RunOverrides`, of which a configuration is made. Studio makes its form of the same class, so that it
offers nothing that is refused.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from langgraph.graph.state import CompiledStateGraph
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.runtime import ServerRuntime
from pydantic import WithJsonSchema

from fusion_tool.config.loading import preview_config, resolve_config
from fusion_tool.config.presets import OLLAMA, load_presets, preset_names
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import config_path
from fusion_tool.config.user_file import FILE, mention_unread_file, user_file
from fusion_tool.errors import ConfigError
from fusion_tool.servers.overrides import RunOverrides, apply_overrides, parse_overrides, reject_unoffered

AgentGraph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
GraphFactory: TypeAlias = Callable[[ServerRuntime[Any]], Coroutine[Any, Any, AgentGraph]]

# The server keeps these beside a caller's context, and clients may send some of them.
_SERVERS_OWN = frozenset({"thread_id", "run_id", "cron_id", "assistant_id", "graph_id", "user_id"})
_SERVERS_PREFIXES = ("__", "checkpoint_", "langgraph_", "x-")


def load_operator_config() -> FusionConfig | None:
    """Return the configuration of the user's file; `None` where there is none.

    Raises:
        ConfigError: The file cannot be read, or a setting in it is wrong.
    """
    if user_file() is None:
        mention_unread_file()
        return None
    return preview_config()  # a model's key is looked for when a run begins


def offered_presets() -> dict[str, FusionConfig]:
    """Return the presets that are data: a client may choose them without anybody being asked for it."""
    return load_presets(name for name in preset_names() if name != OLLAMA)


def context_schema(operator: FusionConfig | None, presets: Mapping[str, FusionConfig] | None = None) -> Any:
    """Return a graph's `context_schema` on Agent Server.

    Args:
        operator: The configuration that bounds what a client may ask for; `None` uses the preset that the client
            names, else the default one, where its key is set.
        presets: The presets that a client may choose; `None` offers those that are data.

    Returns:
        A class with the schema of `RunOverrides`. Called with the fields it returns a `FusionConfig`, or raises
        `ConfigError`.
    """
    offered = offered_presets() if presets is None else presets

    class Context(RunOverrides, title="FusionConfig"):
        preset: Annotated[str | None, WithJsonSchema({"anyOf": [{"enum": [*offered]}, {"type": "null"}]})] = None
        """The models of a preset instead of the configured ones."""

        # LangGraph calls the class with the client's fields: what it returns is the context of the run's nodes.
        def __new__(cls, **values: Any) -> FusionConfig:  # type: ignore[misc] # of another class, see above
            """Return the configuration of the run."""
            overrides = parse_overrides(values)
            # Without an operator's file the chosen preset is the base, for which the default one's key is not needed.
            base = operator or offered.get(overrides.preset or "") or resolve_config()
            return apply_overrides(base, overrides, presets=offered)

    # The docstring is the form's text, and a class does not inherit it.
    Context.__doc__ = RunOverrides.__doc__
    return Context


def graph_factory(build: Callable[[FusionConfig | None], AgentGraph]) -> GraphFactory:
    """Return a factory that Agent Server asks for its graph: each run gets that of the user's file as it is then.

    A run keeps the graph that it began with. A file that is broken is the error of the runs that begin with it; for
    what runs nothing (drawings, forms, a thread's state) the graph of the last good one stands in.

    Args:
        build: Makes the graph of a configuration; `None` where there is no file.

    Raises:
        ConfigError: The file is broken already, so that the server does not start.
    """

    def make(config: FusionConfig | None) -> tuple[FusionConfig | None, AgentGraph, list[str]]:
        graph = build(config)
        return config, graph, [*(graph.get_context_jsonschema() or {}).get("properties", ())]

    latest = make(load_operator_config())

    def refresh() -> None:
        nonlocal latest
        config = load_operator_config()
        if config is None and latest[0] is not None:
            # Not the default preset in its place, of other models and without the operator's limits.
            raise ConfigError(f"{FILE} has gone; put it back, or start the server anew without it", field="config")
        if config != latest[0]:
            latest = make(config)

    async def graph(runtime: ServerRuntime[Any]) -> AgentGraph:
        try:
            await asyncio.to_thread(refresh)  # a blocking call raises in this server
        except ConfigError as error:
            if runtime.execution_runtime:
                # The folder is no caller's business.
                raise ConfigError(error.message.replace(str(config_path(FILE)), FILE), field=error.field) from None
        _, newest, offered = latest
        execution = runtime.execution_runtime
        # Aegra drops what a graph does not take in silence, and cannot be asked before.
        if execution and isinstance(execution.context, Mapping) and (names := _client_names(execution.context)):
            reject_unoffered(names, offered)
        return newest

    return graph


def _client_names(names: Iterable[str]) -> list[str]:
    """Return the names that are not the server's own."""
    return sorted(name for name in names if name not in _SERVERS_OWN and not name.startswith(_SERVERS_PREFIXES))


async def reject_unknown_context(client: LangGraphClient, request: Mapping[str, Any]) -> None:
    """Refuse a context with a key that its graph does not take: Agent Server itself would drop it in silence.

    Args:
        client: A client of the server.
        request: What makes or changes a run, an assistant or a schedule, as an authorization handler gets it.

    Raises:
        ConfigError: There is no such key, or it is the operator's; `field` names it.
    """
    if run := request.get("kwargs"):
        # What the caller sent, whichever way it came; the run's `config` holds what the server adds, too.
        names = {*(run.get("context") or ())}
    else:
        holder = request.get("payload") or request
        names = {*(holder.get("context") or ()), *((holder.get("config") or {}).get("configurable") or ())}
    own = _client_names(names)
    if own and (assistant := await _assistant_of(client, request)):
        schemas = await client.assistants.get_schemas(assistant)
        reject_unoffered(own, [*(schemas["context_schema"] or {}).get("properties", ())])


async def _assistant_of(client: LangGraphClient, request: Mapping[str, Any]) -> str | None:
    """Return the assistant whose graph takes the request's context; `None` where there is none."""
    payload = request.get("payload") or {}
    named = request.get("graph_id") or payload.get("assistant_id") or request.get("assistant_id")
    try:
        if named is None:
            named = (await client.http.get(f"/runs/crons/{request['cron_id']}"))["payload"]["assistant_id"]
        with suppress(ValueError):
            return str(UUID(str(named)))
        # A graph's name: the assistant may be about to be made, but each graph has one that is always there.
        found = await client.assistants.search(graph_id=str(named), metadata={"created_by": "system"})
    except NotFoundError:
        return None
    return found[0]["assistant_id"] if found else None
