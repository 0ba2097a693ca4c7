"""The checks of `doctor`.

Protocol: OpenRouter's API reference, "Get current API key" (`GET /key`) and "List models" (`GET /models`).
"""

import asyncio
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fusion_tool.cli.doctor_database import database
from fusion_tool.cli.doctor_files import own_folders, user_files
from fusion_tool.cli.doctor_findings import Check
from fusion_tool.config.key_names import KEY_NAMES
from fusion_tool.config.keys import read_key
from fusion_tool.config.loading import DEFAULT_KEY
from fusion_tool.config.network import LOCAL_MOUNTS, network_faults, read_address
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.causes import address_cure, connection_cause, shown_address
from fusion_tool.models.providers import OPENAI_ADDRESS, OPENROUTER_URL, PROVIDERS

if TYPE_CHECKING:
    from fusion_tool.models.local.catalog import LocalModel
    from fusion_tool.tools.search.search import ProviderSpec


async def examine() -> list[Check]:
    """Return the findings of all checks, which are made at once; the slowest waits five seconds for an answer."""
    own, faults = user_files(), [*network_faults()]
    # Where the keys file is broken no key can be read, and where proxies or certificates are wrong nobody can be asked:
    # the checks of keys and of servers would all end with the same error.
    has_keys = own[-1].ok or own[-1].cure
    keyed = (openrouter(), _other_providers(), _search()) if has_keys and not faults else ()
    findings = await asyncio.gather(
        *keyed,
        *([] if faults else [asyncio.to_thread(_ollama)]),
        asyncio.to_thread(_local_models),
        _sandbox(),
        database(),
        asyncio.to_thread(own_folders),
    )
    wrong = [Check(fault.field or "", ok=False, detail=fault.message) for fault in (*faults, *_address_faults())]
    return [*own, *wrong, *(check for checks in findings for check in checks)]


def _address_faults() -> Iterator[ConfigError]:
    for variable in (*(spec.base_url_variable for spec in PROVIDERS.values()), *OPENAI_ADDRESS, "HF_ENDPOINT"):
        try:
            read_address(variable)
        except ConfigError as error:
            yield error


async def _other_providers() -> list[Check]:
    """Check the providers whose key is set; a row for each of the many others would bury these."""
    checks = await asyncio.to_thread(_packages)
    return list(await asyncio.gather(*map(_with_listing, checks)))


def _packages() -> list[Check]:
    from fusion_tool.cli.model_listings import address
    from fusion_tool.models.factory import check_models

    checks = []
    for provider, spec in PROVIDERS.items():
        variable = next((name for name in spec.keys if read_key(name)), None)
        if provider == "openrouter" or variable is None:
            continue
        # By any name: what can be missing here is the provider's package.
        try:
            check_models([("model", Panelist(model=f"{provider}:any"))])
            address(Panelist(model=f"{provider}:any"))
        except ConfigError as error:
            # A package that is missing is told with the command that installs it; a variable without one.
            cause, _, cure = error.message.rpartition(": ")
            said = f"{variable} is set, but {cause or error}"
            checks.append(Check(provider, ok=False, detail=said, cure=cure if cause else None))
        else:
            checks.append(Check(provider, ok=True, detail=f"{variable} is set", runs=True))
    return checks


async def _with_listing(check: Check) -> Check:
    """Return the check of a provider's key after its models were listed, which costs nothing."""
    from fusion_tool.cli.model_listings import fetch_listings

    if not check.ok:
        return check
    try:
        async with asyncio.timeout(_TRIAL_SECONDS):
            listing = next(
                iter((await fetch_listings([Panelist(model=f"{check.name}:any")])).values()), "it lists none"
            )
    except TimeoutError:
        listing = f"no answer in {_TRIAL_SECONDS:g} s"
    if not isinstance(listing, str):
        return replace(check, detail=f"{check.detail}, and lists {len(listing)} models")
    if listing in _REFUSALS:
        detail = f"{check.detail}, and refused ({listing.removeprefix('status ')})"
        return replace(check, ok=False, runs=False, detail=detail)
    if _SHUT.search(listing):
        return replace(check, ok=False, runs=False, detail=f"{check.detail}, but {listing}")
    # Without a list nothing is known of the key; that there is no network says nothing against it.
    return replace(check, tried=False, detail=f"{check.detail}, not tried: {listing}")


def _ollama() -> list[Check]:
    from fusion_tool.models.ollama import endpoint, installed_models

    try:
        address = endpoint()
    except ConfigError as error:
        return [Check("Ollama", ok=False, detail=error.message), *_ollama_files()]
    try:
        models = installed_models()
    except ConfigError:
        says = ", as OLLAMA_HOST says" if os.environ.get("OLLAMA_HOST") else ""
        silent = Check("Ollama", ok=False, detail=f"none answers at {address}{says}", cure="ollama serve")
        return [silent, *_ollama_files()]
    if not models:
        return [Check("Ollama", ok=False, detail="it has no chat model", cure="ollama pull qwen3:8b")]
    return [Check("Ollama", ok=True, detail=f"offers {', '.join(models)}", runs=True)]


_LOCAL_EXTRA = "pip install 'fusion-tool[local]'"


def _ollama_files() -> list[Check]:
    """Return what Ollama's folder holds: its files run without it."""
    from fusion_tool.models.ollama import model_files

    can_run = find_spec("xllamacpp") is not None
    return [
        Check(
            "Ollama's files",
            ok=can_run,
            detail=f"{name} runs without it, as the model local:{file}",
            cure=None if can_run else _LOCAL_EXTRA,
            runs=can_run,
        )
        for name, file in model_files().items()
    ]


def _local_models() -> list[Check]:
    from fusion_tool.models.local.catalog import SMALLEST, installed_models

    if find_spec("xllamacpp") is None:
        return [Check("local model", ok=False, detail="the extra 'local' is missing", cure=_LOCAL_EXTRA)]
    models = installed_models()
    if not models:
        return [Check("local model", ok=False, detail="none is installed", cure="fusion-tool model install")]
    checks = [_local_model(model) for model in models]
    if [model.name for model in models] == [SMALLEST]:
        detail = f"{SMALLEST} shows the machinery alone; one that can read takes 1.1 GB"
        checks.append(Check("local model that reads", ok=False, detail=detail, cure="fusion-tool model install qwen"))
    return checks


def _local_model(model: "LocalModel") -> Check:
    from fusion_tool.models.local.gguf import read_header

    try:
        header = read_header(model.path)
    except ConfigError as error:
        return Check("local model", ok=False, detail=error.message, cure=f"fusion-tool model remove {model.name}")
    base = "" if header.chat_template else ", a base model without a chat template"
    return Check("local model", ok=True, detail=f"{model.name} at {model.path}{base}", runs=True)


async def _search() -> list[Check]:
    from fusion_tool.tools.search.search import PROVIDERS as SEARCH_PROVIDERS

    return list(await asyncio.gather(*map(_search_provider, SEARCH_PROVIDERS.values())))


async def _search_provider(spec: "ProviderSpec") -> Check:
    """Check a search provider: by one search where that costs nothing."""
    from fusion_tool.tools.search.base import SearchError
    from fusion_tool.tools.search.search import search_web

    variable, name = spec.variable, f"search: {spec.name}"
    set_it = f"fusion-tool keys set {variable}" if variable in KEY_NAMES else f"export {variable}=..."
    # An address is no secret, and read as one it would be kept out of what is shown.
    value = read_key(variable) if variable in KEY_NAMES else os.environ.get(variable or "", "").strip()
    if variable and not value:
        return Check(name, ok=False, detail=_unset(variable), cure=set_it)
    shown = "set" if variable in KEY_NAMES else shown_address(value) or "set"
    configured = f"{variable} is {shown}" if variable else "needs no key"
    if spec.fee is not None:
        return Check(name, ok=True, detail=f"{configured}, not tried: a search costs", tried=False)
    try:
        await search_web("Wikipedia", providers=[spec.name], timeout=_TRIAL_SECONDS)
    except SearchError as error:
        return Check(name, ok=False, detail=f"{configured}, but a {error}")
    return Check(name, ok=True, detail=f"{configured}; a search brought results")


async def _sandbox() -> list[Check]:
    from fusion_tool.tools.sandbox.shell import probe

    state = await probe()
    return [Check("sandboxed shell", ok=state.works, detail=state.detail)]


_KEYS_PAGE = "https://openrouter.ai/keys"
_PATIENCE = 3.0
"""Seconds until an endpoint that does not answer counts as out of reach."""

_TRIAL_SECONDS = 5.0
"""The most that one search, or one list of models, may take."""

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REFUSALS = tuple(f"status {status}" for status in map(int, _REFUSED))
"""The same in the words of a list that could not be fetched."""
_SHUT = re.compile(rf"\b(?:{re.escape(os.strerror(errno.ECONNREFUSED))}|TLS failed)")
"""The causes of a server that was reached and cannot be used; without a network none is reached."""


async def openrouter() -> list[Check]:
    """Check OpenRouter's key, and the network as far as OpenRouter needs it.

    Both in one request, and apart in the findings: that there is no network says nothing against the key.
    """
    try:
        url = PROVIDERS["openrouter"].endpoint() or OPENROUTER_URL
    except ConfigError:  # told by the variable's name
        return []
    key = read_key(DEFAULT_KEY)
    # `/models` is open to all, and answers a wrong key as well: only `/key` tells whether it is accepted.
    status = await _status(f"{url}/key" if key else f"{url}/models", key)
    return [_key(key, status), _network(url, status)]


def _unset(variable: str) -> str:
    return f"{variable} is {'set but empty' if variable in os.environ else 'not set'}"


def _key(key: str | None, status: int | str) -> Check:
    name, new = "OpenRouter", f"fusion-tool keys set {DEFAULT_KEY}  # from {_KEYS_PAGE}"
    if not key or status in _REFUSED:
        detail = f"{DEFAULT_KEY} is set, and refused ({status})" if key else _unset(DEFAULT_KEY)
        return Check(name, ok=False, detail=detail, cure=new)
    if isinstance(status, str) and _SHUT.search(status):
        return Check(name, ok=False, detail=f"{DEFAULT_KEY} is set, but no connection came about ({status})")
    detail = f"{DEFAULT_KEY} is set, {'and accepted' if (tried := status == HTTPStatus.OK) else 'not tried'}"
    return Check(name, ok=True, detail=detail, runs=True, tried=tried)


def _network(url: str, status: int | str) -> Check:
    cure = address_cure(Panelist("openrouter:any"))
    if isinstance(status, str):
        return Check("network", ok=False, detail=f"offline: {url} is out of reach ({status}) - {cure}")
    other = f", but not as OpenRouter does ({status}): {cure}" if status == HTTPStatus.NOT_FOUND else ""
    return Check("network", ok=not other, detail=f"{url} answers{other}")


async def _status(url: str, key: str | None) -> int | str:
    """Return the HTTP status, or the name of the error that kept it away."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, mounts=LOCAL_MOUNTS) as client:
            return (await client.get(url, headers=headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return connection_cause(error)
