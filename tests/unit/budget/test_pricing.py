"""List prices: known, unknown, and what providers report that cannot be."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.budget.pricing import cost_of, is_priced, price_name, renamed_model
from fusion_tool.config.schema import Panelist
from fusion_tool.tools.search.search import PROVIDERS, search_fee


@pytest.mark.parametrize("model", ["local:smollm2-135m", "ollama:qwen3:8b", "openrouter:openai/gpt-oss-120b:free"])
def test_what_costs_nothing_costs_nothing(model):
    assert cost_of(model, input_tokens=None, output_tokens=None) == (0.0, "list_price")
    assert is_priced(model)


@pytest.mark.parametrize("model", ["vllm:llama", "openrouter:no/such-model", "gpt-5", "nope:gpt-5", ":", "x:", ""])
def test_an_unknown_model_is_unpriced_and_never_free(model):
    assert cost_of(model, input_tokens=1000, output_tokens=1000) == (None, "unpriced")
    assert not is_priced(model)


@pytest.mark.parametrize(
    "model",
    [
        "openai:gpt-5.5",
        "anthropic:claude-opus-4-8",
        "google_genai:gemini-3-flash-preview",
        "xai:grok-4",
        "mistralai:mistral-large-latest",
        "openrouter:anthropic/claude-opus-4.8",
    ],
)
def test_langchains_names_of_providers_are_found_in_the_price_list(model):
    cost, source = cost_of(model, input_tokens=1_000_000, output_tokens=0)
    assert source == "list_price"
    assert 0 < cost < 100


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openrouter:google/gemini-3-flash", "openrouter:google/gemini-3-flash-preview"),
        ("openai:gpt-5.5-preview", "openai:gpt-5.5"),
        ("anthropic:claude-opus-4.8", "anthropic:claude-opus-4-8"),
        ("google_genai:gemini-3-flash-preview-12-2025", "google_genai:gemini-3-flash-preview"),
        ("openrouter:openai/gpt-5.9", None),
        ("nobody:gpt-5.5", None),
        (":", None),
    ],
)
def test_a_name_is_the_same_but_for_its_spelling_its_day_and_its_preview(model, name):
    assert renamed_model(model) == name


@pytest.mark.parametrize("counts", [(None, 5), (5, None), (None, None)])
def test_tokens_that_nobody_reported_have_no_price(counts):
    assert cost_of("openai:gpt-5.5", input_tokens=counts[0], output_tokens=counts[1]) == (None, "unpriced")


def test_cached_tokens_are_cheaper():
    plain, _ = cost_of("openai:gpt-5.5", input_tokens=10_000, output_tokens=10)
    cached, _ = cost_of("openai:gpt-5.5", input_tokens=10_000, output_tokens=10, cached_tokens=9_000)
    assert cached < plain


@pytest.mark.parametrize(("model", "factor"), [("anthropic:claude-opus-4-8", 1.25), ("openai:gpt-5.5", 1.0)])
def test_what_is_written_to_a_cache_costs_what_its_vendor_asks(model, factor):
    plain, _ = cost_of(model, input_tokens=10_000, output_tokens=0)
    written, _ = cost_of(model, input_tokens=10_000, output_tokens=0, written_tokens=10_000)
    assert written == pytest.approx(factor * plain)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(0, 10**6))
def test_no_count_that_a_provider_may_report_raises(prompt, completion, cached):
    cost, source = cost_of("openai:gpt-5.5", input_tokens=prompt, output_tokens=completion, cached_tokens=cached)
    assert (cost is None) == (source == "unpriced")
    assert cost is None or cost >= 0


@pytest.mark.parametrize(
    ("provider", "results", "fee"),
    [
        ("duckduckgo", 6, 0.0),
        ("searxng", 6, 0.0),
        ("tavily", 6, 0.008),
        ("tavily", 12, 0.008),
        ("brave", 12, 0.005),
        ("exa", 6, 0.007),
        ("exa", 10, 0.007),
        ("exa", 12, 0.009),
    ],
)
def test_a_search_costs_what_its_provider_lists(provider, results, fee):
    assert search_fee(provider, results) == pytest.approx(fee)


def test_every_fee_says_where_it_comes_from():
    for fee in (spec.fee for spec in PROVIDERS.values() if spec.fee):
        assert fee.source.startswith("https://")
        assert date.fromisoformat(fee.date)


@pytest.mark.parametrize(
    ("model", "base_url", "free"),
    [
        ("qwen3:8b", "http://127.0.0.1:8000/v1", True),
        ("vllm:llama", "http://localhost:8000/v1", True),
        ("own", "http://[::1]:8000/v1", True),
        ("own", "http://app.localhost/v1", False),
        ("own", "http://192.168.0.7:8000/v1", False),
        ("own", "https://gateway.example/v1", False),
        ("vllm:llama", None, False),
    ],
)
def test_what_a_server_on_this_machine_runs_costs_nothing(model, base_url, free, monkeypatch):
    monkeypatch.undo()
    panelist = Panelist(model=model, base_url=base_url)
    assert is_priced(price_name(panelist)) == free


def test_a_gateway_on_this_machine_charges_for_models_that_the_list_knows(monkeypatch):
    monkeypatch.undo()
    panelist = Panelist(model="openai:gpt-5.5", base_url="http://127.0.0.1:4000/v1")
    assert cost_of(price_name(panelist), input_tokens=1_000_000, output_tokens=0)[0] > 0
