"""The line that tells a user why a call failed: who was asked, what the provider says, and what to do about it."""

import os
from dataclasses import replace
from urllib.parse import urlsplit

from fusion_tool.budget.pricing import similar_model
from fusion_tool.config.keys import scrub
from fusion_tool.config.schema import Panelist
from fusion_tool.events import plain_line
from fusion_tool.models.faults import Fault, never_connected
from fusion_tool.models.providers import PROVIDERS, endpoint_for, has_own_server, key_variable

_NO_ACCESS = (401, 403)
_LONGEST_CAUSE = 120


def explain_fault(fault: Fault, error: BaseException, panelist: Panelist) -> Fault:
    """Return `fault` with a message that names the model that was asked and, where there is one, the cure.

    Args:
        fault: What `to_fault` makes of `error`.
        error: What the call raised.
        panelist: Who was called.
    """
    address = _address(panelist)
    if never_connected(error):
        message = f"no connection to {address or 'its provider'} ({_root_cause(error)}); {_cure(panelist)}"
    else:
        message = fault.message
        if fault.reason == "auth" and fault.status_code in _NO_ACCESS:
            message = f"{message} ({_key_hint(panelist)})"
        if fault.reason == "model_unavailable" and not panelist.base_url:
            message += similar_model(panelist.model_name)
    if not isinstance(panelist.model, str):  # of an object, nothing is known but the name that the seat has already
        return replace(fault, message=scrub(message))
    asked = f"{panelist.model_name} at {urlsplit(address).netloc}" if panelist.base_url else panelist.model_name
    return replace(fault, message=scrub(f"{asked}: {message}"))


def _address(panelist: Panelist) -> str:
    """Return the endpoint without what may be secret in an address; empty where only a package knows it."""
    # Gateways are addressed with a password or a key in the query, and the line is shown and stored.
    parts = urlsplit(endpoint_for(panelist) or "")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


def _key_hint(panelist: Panelist) -> str:
    if variable := key_variable(panelist):
        return f"its key is in {variable}"
    if isinstance(panelist.model, str):
        return "no key was sent: name the variable that holds one in api_key_env"
    return "its key is that of the object that was configured"


def _cure(panelist: Panelist) -> str:
    name = panelist.model_name.partition(":")[0]
    if panelist.base_url:
        return "start the server there, or correct base_url" if has_own_server(panelist) else "correct base_url"
    if name == "ollama":
        return "start it (ollama serve), or set OLLAMA_HOST"
    variable = PROVIDERS[name].base_url_variable if name in PROVIDERS else ""
    # An address that somebody moved is likelier to be wrong than the vendor's.
    if variable and os.environ.get(variable):
        return f"the address is that in {variable}"
    return "check the network (behind a proxy, set HTTPS_PROXY)"


def _root_cause(error: BaseException) -> str:
    """Return the innermost error's own words."""
    # The outer ones, OpenAI's client's among them, say no more than "Connection error.".
    root = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    return plain_line(str(root) or type(root).__name__, _LONGEST_CAUSE)
