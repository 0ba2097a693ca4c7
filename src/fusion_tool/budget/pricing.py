"""List prices of models, offline, from genai-prices.

A model that is not in the list is unpriced, never free.
"""

import re
from functools import cache, lru_cache

from fusion_tool.budget.usage import CostSource
from fusion_tool.config.addresses import host_of, is_loopback
from fusion_tool.config.choices import OWN_PROVIDERS
from fusion_tool.config.schema import Panelist
from fusion_tool.config.words import did_you_mean

_PRICE_LIST_IDS = {
    "google_genai": "google",
    "google_vertexai": "google",
    "mistralai": "mistral",
    "xai": "x-ai",
}
"""Where LangChain's name of a provider differs from the price list's."""


def price_name(panelist: Panelist) -> str:
    """Return the name by which a panelist's model is priced; what a server on this machine runs itself costs nothing.

    A model that the list prices keeps its name there: what listens here may be a gateway to whoever charges for it.
    """
    name = panelist.model_name
    return f"local:{name}" if is_loopback(host_of(panelist.base_url)) and not is_priced(name) else name


def cost_of(
    model: str,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_tokens: int | None = None,
    written_tokens: int | None = None,
) -> tuple[float | None, CostSource]:
    """Return what a call costs by the published list.

    Args:
        model: The model as configured, `"provider:model"`.
        input_tokens: Prompt tokens, cached ones included; `None` where the provider did not say.
        output_tokens: Completion tokens; `None` likewise.
        cached_tokens: How many of the prompt tokens were read from the provider's cache; `None` counts as 0.
        written_tokens: How many were written to it, which some vendors charge more for; `None` counts as 0.

    Returns:
        US dollars and `"list_price"`, or `None` and `"unpriced"`.
    """
    provider, _, name = model.partition(":")
    if provider in OWN_PROVIDERS or name.endswith(":free"):  # OpenRouter's mark of a model's free variant
        return 0.0, "list_price"
    if input_tokens is None or output_tokens is None or not is_priced(model):
        return None, "unpriced"
    from genai_prices import Usage, calc_price  # late: importing it takes half a second

    cached = min(cached_tokens or 0, input_tokens)  # some providers count cached tokens apart
    written = min(written_tokens or 0, input_tokens - cached)
    tokens = Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached, cache_write_tokens=written
    )
    try:
        price = calc_price(tokens, model_ref=name, provider_id=_PRICE_LIST_IDS.get(provider, provider))
    except (LookupError, ValueError):  # counts that cannot be: the answer is paid for, but its price is unknown
        return None, "unpriced"
    return float(price.total_price), "list_price"


# Cached: a lookup tries the list's matching rules one by one, 1 to 2 ms, and routing asks for each of its profiles.
@lru_cache(maxsize=512)
def is_priced(model: str) -> bool:
    """Tell whether the list has a price for `model` (`"provider:model"`)."""
    provider, _, name = model.partition(":")
    if provider in OWN_PROVIDERS or name.endswith(":free"):
        return True
    from genai_prices import Usage, calc_price

    try:
        calc_price(
            Usage(input_tokens=1, output_tokens=1),
            model_ref=name,
            provider_id=_PRICE_LIST_IDS.get(provider, provider),
        )
    except LookupError:
        return False
    return True


# It takes milliseconds, and every run with a model that is in no list looks for it: one that is new, or the user's own.
@lru_cache(maxsize=256)
def similar_model(model: str, cutoff: float = 0.6) -> str:
    """Return a clause with the model of the same provider's list whose name comes nearest; empty where none comes near.

    Args:
        model: A name that the list or the provider does not know, `"provider:model"`.
        cutoff: As for `did_you_mean`.
    """
    provider, _, name = model.partition(":")
    names = _listed_names(provider)
    return did_you_mean(name, names, prefix=f"{provider}:", cutoff=cutoff) if name not in names else ""


def renamed_model(model: str) -> str | None:
    """Return the name that the same provider's list has in place of `model`; `None` where it has none, or that one.

    A name is the same where only its spelling differs, the day of a snapshot, or what a vendor appends until a model is
    stable (`-preview`).

    Args:
        model: `"provider:model"`.
    """
    provider, _, name = model.partition(":")
    same = [other for other in _listed_names(provider) if other != name and _plain(other) == _plain(name)]
    # The shortest is the one without a day or a `-preview`.
    return f"{provider}:{min(same, key=lambda other: (len(other), other))}" if same else None


_PASSING = re.compile(r"(-(preview|exp|beta|latest|\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{2,4}))+$")


def _plain(name: str) -> str:
    return re.sub(r"[._]", "-", _PASSING.sub("", name.lower()))


@cache
def _listed_names(provider: str) -> frozenset[str]:
    from genai_prices.data import providers

    rows = [row for row in providers if row.id == _PRICE_LIST_IDS.get(provider, provider)]
    return frozenset(model.id for row in rows for model in row.models)


def bounded_price(model: str, prompt: int, answer: int) -> float:
    """Return US dollars of a call with so many tokens; 0 where the price is unknown, which limits cannot hold."""
    return cost_of(model, input_tokens=prompt, output_tokens=answer)[0] or 0.0


def longest_answer_within(model: str, prompt: int, max_tokens: int, usd: float) -> int:
    """Return the most answer tokens, up to `max_tokens`, that `usd` dollars pay for; below 0 where none."""
    if bounded_price(model, prompt, max_tokens) <= usd:
        return max_tokens
    # By bisection: above some number of tokens a list charges another price, so that no division gives the answer.
    low, high = -1, max_tokens
    while high - low > 1:
        middle = (low + high) // 2
        if bounded_price(model, prompt, middle) <= usd:
            low = middle
        else:
            high = middle
    return low
