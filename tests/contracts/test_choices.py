"""Closed sets that stand as literals for the types name what their tables hold."""

from typing import get_args

from fusion_tool.config.choices import SearchProvider
from fusion_tool.tools.search.search import PROVIDERS


def test_every_search_provider_has_a_row():
    assert get_args(SearchProvider) == tuple(PROVIDERS)
