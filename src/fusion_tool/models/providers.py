"""The providers: the endpoint of a panelist's model, and the variable that holds the key for it.

A provider's own LangChain package is used where it is installed: it knows the provider's caching, server tools and
reasoning. Otherwise the provider's OpenAI-compatible endpoint is used, so that a key alone is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from fusion_tool.config.addresses import host_of, is_private
from fusion_tool.config.choices import OWN_PROVIDERS
from fusion_tool.config.key_file import stored_keys
from fusion_tool.config.key_names import MODEL_KEYS
from fusion_tool.config.keys import read_key
from fusion_tool.config.network import read_address
from fusion_tool.config.schema import Panelist
from fusion_tool.models.local.catalog import model_of
from fusion_tool.models.ollama import endpoint as ollama_endpoint

OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENAI_ADDRESS: tuple[str, ...] = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
"""The variables from which OpenAI's package reads another address by itself; the first that is set counts."""


@dataclass(frozen=True)
class Provider:
    """One provider's API.

    Args:
        keys: The variables that may hold its key; the first that is set counts.
        url: The root of its API; `None` where only its LangChain package knows it.
        path: What its OpenAI-compatible endpoint adds to the root.
        base_url_variable: The variable by which its own tools are pointed elsewhere, at a gateway say; empty for none.
        packaged: Whether LangChain has a package for it.
        counts_streams: Whether its endpoint takes `stream_options`; one that does not counts streams without it.
    """

    keys: tuple[str, ...]
    url: str | None = None
    path: str = ""
    base_url_variable: str = ""
    packaged: bool = True
    counts_streams: bool = True

    def endpoint(self) -> str | None:
        """Return its OpenAI-compatible endpoint, the environment's before the vendor's; empty where it has none.

        Raises:
            ConfigError: What the variable holds is no address.
        """
        root = read_address(self.base_url_variable) or (self.url or "").rstrip("/")
        # A gateway's address may be written with the path or without: the providers' own tools differ in that.
        return root if not root or root.endswith(self.path) else root + self.path


# Read on 2026-11-22 in each provider's reference, on its OpenAI-compatible API.
PROVIDERS = {
    "openrouter": Provider(
        MODEL_KEYS["openrouter"], OPENROUTER_URL, base_url_variable="OPENROUTER_BASE_URL", packaged=False
    ),
    "openai": Provider(MODEL_KEYS["openai"]),  # no address: its package is always installed, and reads its own variable
    "anthropic": Provider(MODEL_KEYS["anthropic"], "https://api.anthropic.com", "/v1", "ANTHROPIC_BASE_URL"),
    "google_genai": Provider(
        MODEL_KEYS["google_genai"],
        "https://generativelanguage.googleapis.com",
        "/v1beta/openai",
        "GOOGLE_GEMINI_BASE_URL",
    ),
    "deepseek": Provider(MODEL_KEYS["deepseek"], "https://api.deepseek.com/v1", base_url_variable="DEEPSEEK_API_BASE"),
    "xai": Provider(MODEL_KEYS["xai"], "https://api.x.ai/v1", base_url_variable="XAI_API_BASE"),
    "mistralai": Provider(
        MODEL_KEYS["mistralai"], "https://api.mistral.ai/v1", base_url_variable="MISTRAL_BASE_URL", counts_streams=False
    ),
    "moonshotai": Provider(
        MODEL_KEYS["moonshotai"], "https://api.moonshot.ai/v1", base_url_variable="MOONSHOT_BASE_URL", packaged=False
    ),
    "zai": Provider(
        MODEL_KEYS["zai"], "https://api.z.ai/api/paas/v4", base_url_variable="ZAI_BASE_URL", packaged=False
    ),
    "groq": Provider(MODEL_KEYS["groq"], "https://api.groq.com", "/openai/v1", "GROQ_API_BASE"),
    "cohere": Provider(MODEL_KEYS["cohere"], "https://api.cohere.ai", "/compatibility/v1"),
    "fireworks": Provider(
        MODEL_KEYS["fireworks"], "https://api.fireworks.ai/inference/v1", base_url_variable="FIREWORKS_API_BASE"
    ),
    "together": Provider(MODEL_KEYS["together"], "https://api.together.xyz/v1", base_url_variable="TOGETHER_API_BASE"),
    "perplexity": Provider(MODEL_KEYS["perplexity"], "https://api.perplexity.ai"),
}
"""The providers that take a plain key, by LangChain's names or, where it has none, by the price list's."""

KEYS = {name: provider.keys[0] for name, provider in PROVIDERS.items()}
"""The variable that usually holds each provider's key."""


def endpoint_for(panelist: Panelist) -> str | None:
    """Return the address of the panelist's OpenAI-compatible endpoint; `None` where its provider's package knows it."""
    if panelist.base_url is not None:
        return panelist.base_url
    name = panelist.model_name.partition(":")[0]
    # No row of the table: it has no key, and its address comes from a variable of its own form.
    if name == "ollama":
        return f"{ollama_endpoint()}/v1"
    provider = PROVIDERS.get(name)
    if not isinstance(panelist.model, str) or provider is None or (provider.packaged and has_langchain_package(name)):
        return None
    return provider.endpoint() or None


def key_variable(panelist: Panelist) -> str | None:
    """Return the variable that holds the key for the panelist's endpoint; `None` where it needs no key."""
    # An endpoint of the panelist's own gets no provider's key, unless `api_key_env` names one for it.
    if panelist.api_key_env or panelist.base_url:
        return panelist.api_key_env
    provider = PROVIDERS.get(panelist.model_name.partition(":")[0])
    if provider is None:
        return None
    return next((key for key in provider.keys if read_key(key)), provider.keys[0])


def providers_with_key() -> frozenset[str]:
    """Return the providers whose key is set."""
    stored = stored_keys()
    return frozenset(
        name for name, provider in PROVIDERS.items() if any(read_key(key, stored) for key in provider.keys)
    )


def openable_providers() -> frozenset[str]:
    """Return the providers whose key is set; all of them where none is, for who looks ahead has not chosen one yet."""
    return providers_with_key() or frozenset(PROVIDERS)


def missing_keys(panelists: Iterable[Panelist]) -> list[str]:
    """Return the variables without a key that the panelists and their fallbacks need, each once."""
    models = (with_model(one, name) for one in panelists for name in (one.model, *one.fallbacks))
    # An object has its key already.
    variables = dict.fromkeys(key_variable(model) for model in models if isinstance(model.model, str))
    return [variable for variable in variables if variable and not read_key(variable)]


def has_own_server(panelist: Panelist) -> bool:
    """Tell whether the panelist's model is served in the user's own network: by us, or at a private address."""
    if panelist.base_url is None and panelist.model_name.partition(":")[0] not in OWN_PROVIDERS:
        return False  # what listens at a private address is a gateway, which passes on what the provider says
    if panelist.base_url is None and panelist.model_name.startswith("local:"):
        return True
    return is_private(host_of(endpoint_for(panelist)))


def place_of(panelist: Panelist) -> str | None:
    """Return where on the user's own servers the panelist's model is: its file, or its endpoint and name there.

    Returns:
        `None` where it is on none.
    """
    if not has_own_server(panelist):
        return None
    if model := model_of(panelist):
        return str(model.path)
    return f"{endpoint_for(panelist)} {panelist.served_name}"


def provider_of_url(url: str) -> str | None:
    """Return the provider whose API has the address `url`; `None` where none of the known has."""
    # By the host alone: an API has several versions and paths, and a ban on its provider means all of them.
    hosts = {host_of(provider.url): name for name, provider in PROVIDERS.items() if provider.url}
    return (hosts | {"api.openai.com": "openai"}).get(host_of(url))


def with_model(panelist: Panelist, model: str) -> Panelist:
    """Return `panelist` with another model, without fallbacks."""
    if model == panelist.model:
        return panelist
    # An endpoint of its own, its key and its window belong to the model that it serves.
    return panelist.model_copy(
        update={"model": model, "fallbacks": (), "base_url": None, "api_key_env": None, "max_input_tokens": None}
    )


# Cached: a look goes through all of `sys.path`, and is taken again for every call.
@lru_cache(maxsize=32)
def has_langchain_package(provider: str) -> bool:
    """Tell whether LangChain's package for the provider is installed."""
    return find_spec(f"langchain_{provider}") is not None
