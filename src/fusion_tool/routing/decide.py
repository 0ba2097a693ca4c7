"""`decide`: the configuration that a run uses, by privacy, bans, keys, documents and the router's choice.

The one part of `routing` with effects: it awaits the caller's classifier, and reads the environment, files and health.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from fusion_tool.budget.pricing import is_priced, similar_model
from fusion_tool.config.choices import AUTO
from fusion_tool.config.presets import shipped_preset_of
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.models.health import tracker_for
from fusion_tool.models.providers import providers_with_key, with_model
from fusion_tool.routing.candidates import rejection_rule
from fusion_tool.routing.casts import Cast, cast_roles
from fusion_tool.routing.choose import Choice, choose
from fusion_tool.routing.classifier.classify import Classifier, classify_with
from fusion_tool.routing.classifier.signals import Signals
from fusion_tool.routing.policy.allowed import apply_bans
from fusion_tool.routing.policy.documents import document_receivers, require_local_readers
from fusion_tool.routing.policy.locality import require_local
from fusion_tool.routing.policy.private_data import load_patterns, private_pattern
from fusion_tool.routing.policy.restrict import RestrictedConfig, fit_limits
from fusion_tool.routing.profiles import load_profiles
from fusion_tool.routing.roles import role_warning


@dataclass(frozen=True)
class Decision:
    """The configuration of a run, and the reasons why it differs from the caller's.

    Args:
        config: The configuration; the very same object where nothing was decided.
        choice: The router's choice, `None` where the strategy is not `auto`.
        notes: What else was changed, or the user should know, and why; one line each.
    """

    config: FusionConfig
    choice: Choice | None = None
    notes: tuple[str, ...] = ()


async def decide(  # noqa: PLR0913 - what a decision rests on, each with a default
    config: FusionConfig,
    question: str,
    context: str,
    *,
    instructions: str = "",
    stays_local_by: str | None = None,
    panel_tools: Sequence[Any] = (),
    classifier: Classifier | None = None,
    keyed: frozenset[str] | None = None,
    nearest: bool = False,
) -> Decision:
    """Decide on the configuration that a run with this question uses.

    Args:
        config: The caller's configuration.
        question: The question.
        context: What is already known.
        instructions: How the answer shall be written, which the models read as well.
        stays_local_by: The setting by which the run that this one goes on from stays on this machine; `None` for none.
        panel_tools: The caller's own tools.
        classifier: The caller's classifier, for `strategy = "auto"`; it is not shown a private question.
        keyed: Providers to treat as having a key; by default those whose key is set.
        nearest: Under `auto`, whether to return the nearest plan, instead of raising, where no model meets the limits.

    Raises:
        ConfigError: No model is left that may be asked, or meets the limits; names the setting that binds.
    """
    private, signals = _goes_on_from_private(config, stays_local_by), None
    if config.strategy == AUTO:
        # In a thread: a pattern of the user's own may take a second of CPU, for which the loop would stand still.
        private = private or await asyncio.to_thread(_private, config, question, f"{context}\n{instructions}")
        local = private is not None or config.privacy == "local"
        # Before the classifier, which may be a model at a provider: it is shown no question that must stay here.
        signals = await classify_with(None if local else classifier, question, context)
    keyed = providers_with_key() if keyed is None else keyed
    inputs = _DecisionInput(question, context, private, signals, keyed, nearest)
    if _is_quick(config):
        return _settle(config, inputs, panel_tools)
    # In a thread: files are read, and the first time the price list may be loaded, which takes half a second.
    decision = await asyncio.to_thread(_settle, config, inputs, panel_tools)
    if decision.config is config:
        _settled.update(_names(config))
    return decision


_settled: set[str] = set()
"""The models that a decision left where they were: what the lists say of them is in memory."""


def _is_quick(config: FusionConfig) -> bool:
    """Tell whether a decision takes no longer than a change of threads: nothing to rank or replace, and all is read."""
    is_ranked = config.strategy == AUTO or config.judge is None
    return not is_ranked and config.documents is None and _settled.issuperset(_names(config))


class _DecisionInput(NamedTuple):
    """The inputs of a decision; `private` says why the run must stay on this machine, where its settings do not."""

    question: str
    context: str
    private: str | None
    signals: Signals | None
    keyed: frozenset[str]
    nearest: bool


def _settle(config: FusionConfig, inputs: _DecisionInput, panel_tools: Sequence[Any]) -> Decision:
    """Apply each rule in its order: what must not leave this machine, what is banned, what is best, who reads."""
    original, notes = config, list[str]()

    def take(part: RestrictedConfig) -> FusionConfig:
        notes.extend(part.notes)
        return part.config

    if inputs.private is not None:
        config = config.model_copy(update={"privacy": "local"})
        notes.append(inputs.private)
    try:
        config = take(allow_models(config, keyed=inputs.keyed, panel_tools=panel_tools))
    except ConfigError as error:
        raise ConfigError("; ".join([error.message, *notes]), field=error.field) from None
    choice = _choose(config, inputs) if config.strategy == AUTO else None
    cast = Cast(config) if choice else _cast(config, keyed=inputs.keyed, unavailable=_unavailable(config))
    config = _with(config, choice) if choice else cast.config
    if cast.reason is not None:
        notes.append(cast.reason)
    # After the choice: it holds for the roles as they will be asked, the router's own judge among them.
    if config.documents is not None:
        config = take(require_local_readers(config))
        if receivers := document_receivers(config):
            notes.append(f"documents go to {', '.join(receivers)}")
    if failing := sorted(_unavailable(config) & _names(config)):
        notes.append(f"asked last, since they keep failing: {', '.join(failing)}")
    # Of a preset whose models had to be replaced it is no news, either.
    if shipped_preset_of(original) is None and (warning := role_warning(config, cast.at_hand)):
        notes.append(warning)
    return Decision(config if config != original else original, choice, tuple(notes))


def allow_models(config: FusionConfig, *, keyed: frozenset[str], panel_tools: Sequence[Any] = ()) -> RestrictedConfig:
    """Return the part of `config` that may be asked, by its privacy, its bans and the keys.

    Args:
        config: The run's configuration.
        keyed: Providers to treat as having a key.
        panel_tools: The caller's own tools.

    Raises:
        ConfigError: No seat has a model left; it names the setting that binds.
    """
    # Locality first: a model that must not be asked anyway needs no key, and no replacement at its vendor.
    is_local = config.privacy == "local"
    local = require_local(config, panel_tools) if is_local else RestrictedConfig(config)
    allowed = apply_bans(local.config, profiles=load_profiles(), keyed=keyed, today=_today())
    return RestrictedConfig(allowed.config, (*local.notes, *allowed.notes, *_misspellings(allowed.config)))


_ALIKE = 0.85
"""How much a name must be like a known one to be taken for a misspelling: new models are in no list yet."""


def _misspellings(config: FusionConfig) -> Iterator[str]:
    models = (with_model(role, name) for role in config.roles for name in (role.model, *role.fallbacks))
    named = {model.model for model in models if isinstance(model.model, str) and model.base_url is None}
    for name in sorted(named):
        if not is_priced(name) and (hint := similar_model(name, _ALIKE)):
            yield f"the price list does not know {name}{hint}"


def settle_roles(config: FusionConfig) -> Cast:
    """Return `config` with the judge and the writer of a run, as if all keys were set and every model answered."""
    return _cast(config, keyed=None, unavailable=frozenset())


def warn_of_roles(config: FusionConfig) -> str | None:
    """Return a warning where in a run of `config` one model would judge, write and have a seat; `None` elsewhere."""
    cast = settle_roles(config)
    return role_warning(cast.config, cast.at_hand)


def _cast(config: FusionConfig, *, keyed: frozenset[str] | None, unavailable: frozenset[str]) -> Cast:
    if config.judge is not None:
        return Cast(config)
    profiles = load_profiles()
    rejection_of = rejection_rule(config, profiles=profiles, keyed=keyed)
    return cast_roles(config, profiles=profiles, rejection_of=rejection_of, unavailable=unavailable, today=_today())


def _private(config: FusionConfig, question: str, context: str) -> str | None:
    if config.privacy == "local" or (pattern := private_pattern(question, context, load_patterns())) is None:
        return None
    return f"the question holds what is private ({pattern})"


def _goes_on_from_private(config: FusionConfig, setting: str | None) -> str | None:
    # Documents that stay here have rules of their own for who may read what was made of them.
    if setting is None or config.privacy == "local" or (setting != "privacy" and config.documents_stay_local):
        return None
    return f"it goes on from a run that stayed on this machine ({setting} = 'local')"


def _unavailable(config: FusionConfig) -> frozenset[str]:
    health = tracker_for(config)
    return health.unavailable() if health else frozenset()


def _today() -> date:
    return datetime.now(UTC).date()


def _choose(config: FusionConfig, inputs: _DecisionInput) -> Choice:
    profiles = load_profiles()
    return choose(
        inputs.question,
        inputs.context,
        config,
        profiles=profiles,
        today=_today(),
        signals=inputs.signals,
        rejection_of=rejection_rule(config, profiles=profiles, keyed=inputs.keyed),
        unavailable=_unavailable(config),
        nearest=inputs.nearest,
    )


def _with(config: FusionConfig, choice: Choice) -> FusionConfig:
    """Return `config` with the router's choice; limits that count seats fit its panel."""
    return config.model_copy(
        update={
            "strategy": choice.strategy,
            "panel": choice.panel,
            "judge": choice.judge or config.judge_or_default,
            "synthesizer": choice.synthesizer or config.synthesizer_or_default,
            "limits": fit_limits(config.limits, len(choice.panel)),
        }
    )


def _names(config: FusionConfig) -> frozenset[str]:
    roles = config.roles
    return frozenset(str(model) for role in roles for model in (role.model_name, *role.fallbacks))
