"""The closed sets that a user chooses from, importable without pydantic."""

from typing import Literal, TypeAlias

SearchProvider = Literal["duckduckgo", "searxng", "tavily", "exa", "brave"]
PlannedStrategy: TypeAlias = Literal["panel", "solo", "cascade", "chain"]
Strategy: TypeAlias = Literal[PlannedStrategy, "auto"]
