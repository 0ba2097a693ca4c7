"""The only place that makes and calls chat models."""

from fusion_tool.models.call import Account, CallFailed, Reply, ask, measured, size_of
from fusion_tool.models.factory import chat_model, check_models
from fusion_tool.models.traits import Traits, traits_of

__all__ = [
    "Account",
    "CallFailed",
    "Reply",
    "Traits",
    "ask",
    "chat_model",
    "check_models",
    "measured",
    "size_of",
    "traits_of",
]
