"""Where a panelist's model is reached, and which variable holds the key for it."""

import os

from fusion_tool.config import Panelist
from fusion_tool.models.ollama import endpoint as ollama_endpoint

OPENROUTER_URL = "https://openrouter.ai/api/v1"

KEYS = {
    "openrouter": "OPENROUTER_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google_genai": "GOOGLE_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
    "xai": "XAI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "cohere": "COHERE_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "together": "TOGETHER_API_KEY",
    "perplexity": "PPLX_API_KEY",
}
"""The variable that holds each provider's key, where it is a plain key."""


def endpoint_of(panelist: Panelist) -> str | None:
    """The address of the panelist's OpenAI-compatible endpoint; `None` where the provider's own package knows it."""
    if panelist.base_url is not None:
        return panelist.base_url
    match panelist.model_name.partition(":")[0]:
        case "openrouter":
            return os.environ.get("OPENROUTER_BASE_URL") or OPENROUTER_URL
        case "ollama":
            return f"{ollama_endpoint()}/v1"
        case _:
            return None


def key_name(panelist: Panelist) -> str | None:
    """The variable that holds the key for the panelist's endpoint; a key goes to its own provider alone."""
    if panelist.api_key_env or panelist.base_url:
        return panelist.api_key_env
    return KEYS.get(panelist.model_name.partition(":")[0])
