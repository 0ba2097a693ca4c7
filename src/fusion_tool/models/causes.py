"""The line that tells a user why a call failed: who was asked, what the provider says, and what to do about it."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from fusion_tool.budget.pricing import similar_model
from fusion_tool.config.keys import scrub
from fusion_tool.config.network import proxy_variable
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import NO_CONNECTION, NOT_SERVED, WRONG_FORM
from fusion_tool.events import plain_line
from fusion_tool.models.faults import Fault, never_connected
from fusion_tool.models.providers import OPENAI_ADDRESS, PROVIDERS, endpoint_for, has_own_server, key_variable

_NO_ACCESS = (401, 403)
_LONGEST_CAUSE = 120
_MISREADINGS = (TypeError, AttributeError, KeyError, IndexError)
"""What a provider's package raises at a reply of another form than it reads."""
_NOTHING_THERE = re.compile(r"(?:\w+ )?not found\W*", re.IGNORECASE)


def explain_fault(fault: Fault, error: BaseException, panelist: Panelist) -> Fault:
    """Return `fault` with a message that names the model that was asked and, where there is one, the cure.

    Args:
        fault: What `to_fault` makes of `error`.
        error: What the call raised.
        panelist: Who was called.
    """
    address = _address(panelist)
    if never_connected(error):
        cause = connection_cause(error)
        message = f"{NO_CONNECTION} {address or 'its provider'} ({cause}); {address_cure(panelist)}"
    elif isinstance(error, _MISREADINGS) and isinstance(panelist.model, str):
        # Its words are Python's, of the package that read the reply.
        provider = panelist.model_name.partition(":")[0]
        message = f"{address or 'its provider'} gives {WRONG_FORM} {provider}'s API; {address_cure(panelist)}"
    else:
        message = fault.message
        if WRONG_FORM in message:
            # Whoever answered with a page need not be started.
            message += f"; {'correct base_url' if panelist.base_url else address_cure(panelist)}{_path_hint(address)}"
        if fault.reason == "auth" and fault.status_code in _NO_ACCESS:
            message = f"{message} ({_key_hint(panelist)})"
        is_bare = not isinstance(getattr(error, "body", None), Mapping) or _NOTHING_THERE.fullmatch(message)
        if fault.status_code == HTTPStatus.NOT_FOUND and is_bare:
            # Not in the protocol's form, or without a word on the model: it is the address that nobody serves.
            place = (panelist.base_url and address) or _requested(error) or address or "its address"
            message += f"; {NOT_SERVED} {place}{_path_hint(address)}: {address_cure(panelist)}"
        elif fault.reason == "model_unavailable" and not panelist.base_url:
            message += similar_model(panelist.model_name)
    if not isinstance(panelist.model, str):  # of an object, nothing is known but the name that the seat has already
        return replace(fault, message=scrub(message))
    asked = f"{panelist.model_name} at {urlsplit(address).netloc}" if panelist.base_url else panelist.model_name
    return replace(fault, message=scrub(f"{asked}: {message}"))


def _requested(error: BaseException) -> str:
    """Return the address of the request that failed; empty where the error does not say."""
    url = getattr(getattr(error, "request", None), "url", None)
    return shown_address(str(url)) if url else ""


def _path_hint(address: str) -> str:
    return "" if urlsplit(address).path.strip("/") else ", which mostly ends in /v1"


def _address(panelist: Panelist) -> str:
    """Return the endpoint without what may be secret in an address; empty where only a package knows it."""
    # Gateways are addressed with a password or a key in the query, and the line is shown and stored.
    name = panelist.model_name.partition(":")[0]
    moved = os.environ.get(_moved_by(name), "") if name == "openai" else ""  # else the endpoint is that already
    return shown_address(endpoint_for(panelist) or moved)


def shown_address(url: str) -> str:
    """Return an address without its password and query; empty where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


def _key_hint(panelist: Panelist) -> str:
    if variable := key_variable(panelist):
        return f"its key is in {variable}"
    if isinstance(panelist.model, str):
        return "no key was sent: name the variable that holds one in api_key_env"
    return "its key is that of the object that was configured"


def address_cure(panelist: Panelist) -> str:
    """Return what to do where the panelist's address does not answer, as a clause that names what sets it."""
    # Where only a package knows the address, it is some vendor's.
    proxy, cure = proxy_variable(_address(panelist) or "https://vendor.example"), _cure(panelist)
    if not proxy:
        return cure
    return f"check the proxy in {proxy}" if cure is _NETWORK else f"{cure}; the way there is the proxy in {proxy}"


_NETWORK = "check the network, or set HTTPS_PROXY where there is a proxy"


def _cure(panelist: Panelist) -> str:
    name = panelist.model_name.partition(":")[0]
    if panelist.base_url:
        return "start the server there, or correct base_url" if has_own_server(panelist) else "correct base_url"
    if name == "ollama":
        return "start it (ollama serve), or set OLLAMA_HOST"
    # An address that somebody moved is likelier to be wrong than the vendor's.
    if variable := _moved_by(name):
        return f"the address is that in {variable}"
    return _NETWORK


def _moved_by(provider: str) -> str:
    """Return the variable that sets the provider's address; empty where it is the vendor's."""
    variables = OPENAI_ADDRESS if provider == "openai" else ()
    variables += (PROVIDERS[provider].base_url_variable,) if provider in PROVIDERS else ()
    return next((variable for variable in variables if variable and os.environ.get(variable)), "")


def connection_cause(error: BaseException) -> str:
    """Return why no connection came about, in the system's words."""
    # The outer ones, OpenAI's client's among them, say no more than "Connection error.".
    root = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    if isinstance(root, ssl.SSLError):
        said = getattr(root, "verify_message", "") or (root.reason or "").replace("_", " ").lower()
        is_plain = root.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
        return f"TLS failed: {said}" + ("; the server speaks http://, not https://" if is_plain else "")
    if isinstance(root, OSError) and root.errno:
        # A name that is not found has numbers of its own, below 0.
        return os.strerror(root.errno) if root.errno > 0 else str(root.strerror)
    return plain_line(str(root) or type(root).__name__, _LONGEST_CAUSE)
