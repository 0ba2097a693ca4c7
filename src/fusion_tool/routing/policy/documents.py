"""The readers of the user's documents, and of answers made from them: `documents.send_to`.

With `send_to = "local"` a run may still mix local and remote seats. Three rules keep the documents here:

- A local seat may search them, and has no tool that reaches out: what a model has read it may put into a query. A seat
  that begins with a local model goes on with local ones.
- A remote seat has every tool but that one. No answer, and no question, that came out of documents is shown to it.
- Judge and synthesizer read all answers, and so must be local.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.providers import with_model
from fusion_tool.routing.policy.locality import CURE, is_local, local_models_of, reachable_models
from fusion_tool.routing.policy.restrict import RestrictedConfig


def require_local_readers(config: FusionConfig) -> RestrictedConfig:
    """Restrict `config` so that its documents stay with local models.

    Remote fallbacks of local seats, the judge and the synthesizer go, and tracers are shown no content.

    Raises:
        ConfigError: The judge or the synthesizer is not local, or no seat is that could read the documents.
    """
    if not config.documents_stay_local:
        return RestrictedConfig(config)
    if not any(map(local_models_of, config.panel)):
        raise ConfigError(f"documents.send_to = 'local', and no seat is local; {CURE}", field="panel")
    judge = _local_reader("judge", config.judge_or_default)
    writer = _local_reader("synthesizer", config.synthesizer_or_default)
    # By a seat's first model: one that begins on this machine may read documents, and must not go on elsewhere with
    # what it has read.
    panel = tuple(seat if not is_local(seat) else local_models_of(seat) for seat in config.panel)
    # Tracers, too, may send what they are shown to a server.
    # The passages that a second reader sees may be a document's.
    reader = _local_reader("verify", config.verify) if isinstance(config.verify, Panelist) else config.verify
    changes = {"panel": panel, "judge": judge, "synthesizer": writer, "verify": reader, "trace_content": False}
    note = "documents go to local seats alone, which have no web tools"
    return RestrictedConfig(config.model_copy(update=changes), (note,))


def seat_config(config: FusionConfig, panelist: Panelist) -> FusionConfig:
    """Return `config` as a seat sees it while `panelist` is its model: with documents or the web, where not both."""
    if not config.documents_stay_local:
        return config
    return config.model_copy(update={"search": None} if is_local(panelist) else {"documents": None})


def may_read_answers(config: FusionConfig, panelist: Panelist, records: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the panelist and its fallbacks may be shown what these answers, or a judge of them, said.

    Args:
        config: The run's configuration.
        panelist: A seat that has yet to answer.
        records: Records of seats, with the sources of each under `found`.
    """
    if not config.documents_stay_local or not any(rests_on_documents(record) for record in records):
        return True
    return all(is_local(with_model(panelist, model)) for model in (panelist.model, *panelist.fallbacks))


def may_read_earlier(config: FusionConfig, panelist: Panelist, *, from_documents: bool) -> bool:
    """Return whether the panelist and its fallbacks may be shown what an earlier run said.

    Args:
        config: The run's configuration.
        panelist: A seat.
        from_documents: Whether the user's documents may be in it.
    """
    return may_read_answers(config, panelist, [{"found": [{"kind": "document"}]}] if from_documents else [])


def rests_on_documents(record: Mapping[str, Any]) -> bool:
    """Return whether a seat's answer may have been made from documents: its searches returned some."""
    return any(source["kind"] == "document" for source in record["found"])


def document_receivers(config: FusionConfig) -> tuple[str, ...]:
    """Return who receives the documents' excerpts, or answers made from them: providers, or servers by their host."""
    if config.documents is None or config.documents_stay_local:
        return ()
    roles = config.roles
    # Fallbacks included: nobody knows in advance which of them will be asked.
    models = (with_model(panelist, model) for panelist in roles for model in (panelist.model, *panelist.fallbacks))
    return tuple(dict.fromkeys(name for panelist in models if not is_local(panelist) for name in _receivers(panelist)))


def _local_reader(role: str, panelist: Panelist) -> Panelist:
    if (local := local_models_of(panelist)) is None:
        raise ConfigError(
            f"documents.send_to = 'local', and {panelist.model_name} is not, "
            f"though it reads answers made from them; {CURE}",
            field=role,
        )
    return local


def _receivers(panelist: Panelist) -> Iterable[str]:
    for model, url in reachable_models(panelist):
        yield (urlsplit(url).hostname if url else None) or model.partition(":")[0] or model
