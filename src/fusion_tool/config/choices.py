"""The closed sets that a user chooses from, importable without pydantic."""

from typing import Literal, TypeAlias

SearchProvider = Literal["duckduckgo", "searxng", "tavily", "exa", "brave"]
Strategy: TypeAlias = Literal["panel", "solo", "cascade", "chain", "auto"]
