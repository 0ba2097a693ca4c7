"""Models that their provider has withdrawn, remembered for the process: later runs do not pay the failed call again."""

import time

from fusion_tool.config import Panelist
from fusion_tool.models.endpoints import endpoint_of
from fusion_tool.models.faults import Fault

_SECONDS = 3600.0
"""A withdrawal may be a provider's mistake; a process that runs for days asks again."""
_GONE = frozenset({404, 410})

_known: dict[tuple[str | None, str], tuple[float, Fault]] = {}


def remember(panelist: Panelist, fault: Fault) -> None:
    """Note that the panelist's model is gone, if that is what `fault` says."""
    # OpenRouter answers 404, too, to a way of asking that none of the model's endpoints supports.
    refused = fault.objects_to("tool", "function", "response_format", "parameter")
    if fault.reason == "model_unavailable" and fault.status_code in _GONE and not refused:
        _known[endpoint_of(panelist), panelist.model_name] = (time.monotonic(), fault)


def recall(panelist: Panelist) -> Fault | None:
    """The fault with which the panelist's model was found gone, within the last hour."""
    since, fault = _known.get((endpoint_of(panelist), panelist.model_name), (0.0, None))
    if fault is None or time.monotonic() - since > _SECONDS:
        return None
    return Fault(fault.reason, f"{fault.message} (remembered)", fault.status_code)
