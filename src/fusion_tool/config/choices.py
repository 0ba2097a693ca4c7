"""The closed sets that a user chooses from.

A module of its own, without pydantic: the command line's options and its help are made of them.
"""

from typing import Final, Literal, TypeAlias

SearchProvider: TypeAlias = Literal["duckduckgo", "searxng", "tavily", "exa", "brave"]
PlannedStrategy: TypeAlias = Literal["panel", "solo", "cascade", "chain"]
"""How the seats of a planned run work together."""
Strategy: TypeAlias = Literal[PlannedStrategy, "auto"]
"""What may be configured: a planned strategy, or `auto`, out of which the router makes one."""
# By name for code that decides on one: a `match` takes them as values, and a misspelled one is an error at once.
PANEL: Final = "panel"
SOLO: Final = "solo"
CASCADE: Final = "cascade"
CHAIN: Final = "chain"
AUTO: Final = "auto"
OWN_PROVIDERS: Final = ("local", "ollama")
"""The providers that run a model's weights on the user's own machines: what they serve costs nothing."""
Privacy: TypeAlias = Literal["any", "local"]
"""Where a question or a document may go: to any model, or only to those on this machine."""
Shell: TypeAlias = Literal["auto", "sandbox", "off"]
"""The sandboxed shell: where it works, required, or none."""
MOST_ROUTED_SEATS: Final = 3
"""Seats of a panel that the router chooses: as many as see a dispute settled."""
PREFIXES: Final = frozenset({"openai", "openrouter", "ollama", "local", "vllm", "litellm", "llamacpp"})
"""Prefixes of `provider:model` that are not part of a model's name at a `base_url`; any other word is, as in a tag."""
