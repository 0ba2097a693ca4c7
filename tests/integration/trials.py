"""Models of scripted servers, as processes of their own see them: as models of the user's own."""

from fusion_tool.models import facts
from fusion_tool.models.identity import ModelIdentity


def remember_trials(url: str, *models: str) -> None:
    """Let the models at `url` have had their trials, and call tools and cite: what follows counts calls."""
    for model in models:
        facts.write_fact(ModelIdentity(f"{url} {model}", None), "abilities", {"calls_tools": True, "cites": True})
