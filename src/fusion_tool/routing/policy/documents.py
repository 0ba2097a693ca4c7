"""Who may read the user's documents, and answers made from them: `documents.send_to`.

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
from fusion_tool.models.providers import fallback_of
from fusion_tool.routing.policy.locality import CURE, given, is_local, local_part
from fusion_tool.routing.policy.restrict import Allowed


def kept_local(config: FusionConfig) -> bool:
    """Whether the run has documents that only local models may see."""
    return config.documents is not None and config.documents.send_to == "local"


def require_local_readers(config: FusionConfig) -> Allowed:
    """`config` as it must be for its documents to stay with local models, checked before any call.

    Remote fallbacks of local seats, the judge and the synthesizer go, and tracers are shown no content.

    Raises:
        ConfigError: The judge or the synthesizer is not local, or no seat is that could read the documents.
    """
    if not kept_local(config):
        return Allowed(config)
    if not any(map(local_part, config.panel)):
        raise ConfigError(f"documents.send_to = 'local', and no seat is local; {CURE}", field="panel")
    judge = _local_reader("judge", config.judge_or_default)
    writer = _local_reader("synthesizer", config.synthesizer_or_default)
    panel = tuple(seat if not is_local(seat) else local_part(seat) for seat in config.panel)
    changed = {"panel": panel, "judge": judge, "synthesizer": writer, "trace_content": False}
    note = "documents go to local seats alone, which have no web tools"
    return Allowed(config.model_copy(update=changed), (note,))


def seat_config(config: FusionConfig, panelist: Panelist) -> FusionConfig:
    """What of `config` a seat works with while `panelist` is its model: the documents or the web, where not both."""
    if not kept_local(config):
        return config
    return config.model_copy(update={"search": None} if is_local(panelist) else {"documents": None})


def may_see(config: FusionConfig, panelist: Panelist, records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the panelist and its fallbacks may be shown what these answers, or a judge of them, said.

    Args:
        config: The run's configuration.
        panelist: A seat that has yet to answer.
        records: Seats' records, with the sources that they `found`.
    """
    if not kept_local(config) or not any(from_documents(record) for record in records):
        return True
    return all(is_local(fallback_of(panelist, model)) for model in (panelist.model, *panelist.fallbacks))


def from_documents(record: Mapping[str, Any]) -> bool:
    """Whether a seat's answer may have been made from documents: it had found some."""
    return any(source["kind"] == "document" for source in record["found"])


def receivers(config: FusionConfig) -> tuple[str, ...]:
    """Who receives the documents' excerpts, or answers made from them: providers, or servers by their host."""
    if config.documents is None or kept_local(config):
        return ()
    roles = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    asked = (fallback_of(one, model) for one in roles for model in (one.model, *one.fallbacks))
    return tuple(dict.fromkeys(name for one in asked if not is_local(one) for name in _receivers(one)))


def _local_reader(role: str, one: Panelist) -> Panelist:
    if (local := local_part(one)) is None:
        raise ConfigError(
            f"documents.send_to = 'local', and {one.model_name} is not, though it reads answers made from them; {CURE}",
            field=role,
        )
    return local


def _receivers(one: Panelist) -> Iterable[str]:
    for model, url in given(one):
        yield (urlsplit(url).hostname if url else None) or model.partition(":")[0] or model
