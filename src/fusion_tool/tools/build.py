"""Which tools a run has, whether they can work on this machine, and one toolkit for all seats of a wave."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from langchain_core.tools import BaseTool

from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.config.keys import missing_key
from fusion_tool.config.network import read_address
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.tools.documents.index import DocumentIndex, open_index
from fusion_tool.tools.sandbox.shell import probe
from fusion_tool.tools.search.search import PROVIDERS
from fusion_tool.tools.toolkit import Toolkit

_MOST_TOLD = 5

# Weak: with its wave's last seat a toolkit goes, and with it every page and result that the seats looked up.
_toolkits: WeakValueDictionary[str, Toolkit] = WeakValueDictionary()


async def build_toolkit(config: FusionConfig, *, key: str, nonce: str, custom_tools: Sequence[Any] = ()) -> Toolkit:
    """Return the toolkit of a wave: built for the first seat that asks, the same for all others of this process.

    Args:
        config: The run's configuration.
        key: The run and its wave; all who pass the same key share one toolkit.
        nonce: The token of the run's fences.
        custom_tools: The caller's tools, after the package's own.
    """
    if (toolkit := _toolkits.get(key)) is not None:
        return toolkit
    builtin = await _builtin_tools(config)
    toolkit = Toolkit(config=config, nonce=nonce, tools=(*builtin, *custom_tools), builtin_count=len(builtin))
    # Another seat may have built one while the sandbox was probed.
    return _toolkits.setdefault(key, toolkit)


async def _builtin_tools(config: FusionConfig) -> list[BaseTool]:
    tools: list[BaseTool] = []
    if config.max_tool_calls == 0:
        return tools
    # Imported here, so that a run without tools does not load them and the libraries behind them.
    if config.search is not None:
        from fusion_tool.tools.builtin import fetch_page, web_search

        tools += [web_search, fetch_page]
    if config.documents is not None:
        from fusion_tool.tools.builtin import search_documents

        tools.append(search_documents)
    if config.bash != "off" and (await probe()).works:
        from fusion_tool.tools.builtin import bash

        tools.append(bash)
    return tools


class ToolCheck(NamedTuple):
    """What the seats' tools come to here.

    `shell` is `sandbox`, `off`, or `none: ` with the reason; `documents` the open index, `None` where none are
    configured.
    """

    shell: str
    documents: DocumentIndex | None


async def check_tools(config: FusionConfig) -> ToolCheck:
    """Check search providers and shell, and bring the index of the user's documents up to date.

    Raises:
        ConfigError: A search provider's variable is missing or wrong, the documents cannot be indexed, or none of them
            can be read.
        SandboxUnavailable: `bash = "sandbox"`, and it does not work here.
    """
    for name in config.search.providers if config.search else ():
        variable = PROVIDERS[name].variable
        # An address is no secret, and read as a key it would be kept out of what is shown.
        if variable in KEY_NAMES and (missing := missing_key(variable)):
            raise ConfigError(f"'{name}' needs a key: {missing}", field="search.providers")
        if variable and variable not in KEY_NAMES and not read_address(variable):
            raise ConfigError(f"'{name}' needs an address: set {variable}", field="search.providers")
    documents = None if config.documents is None else await _check_documents(config.documents.paths)
    return ToolCheck(await _check_shell(config), documents)


async def _check_shell(config: FusionConfig) -> str:
    if config.bash == "off":
        return "off"
    sandbox = await probe()
    if sandbox.works:
        return "sandbox"
    if config.bash == "sandbox":
        raise SandboxUnavailable(f"bash = 'sandbox' is required: {sandbox.detail}; or set bash = 'auto' to do without")
    return f"none: {sandbox.detail}"


async def _check_documents(paths: Sequence[Path]) -> DocumentIndex:
    index = await open_index(paths)
    if index.document_count:
        return index
    names = ", ".join(repr(str(path)) for path in paths)
    held = "; ".join(f"{skipped.path} {skipped.reason}" for skipped in index.skipped[:_MOST_TOLD])
    more = f"; and {len(index.skipped) - _MOST_TOLD} more" if len(index.skipped) > _MOST_TOLD else ""
    cause = f"no document can be read in {names}: {held or 'nothing is there'}{more}"
    raise ConfigError(f"{cause}; correct documents.path, or leave documents out", field="documents")
