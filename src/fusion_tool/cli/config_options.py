"""The resolution of the command line's flags into a `FusionConfig`: a flag over the file, the file over the preset."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fusion_tool.config.loading import preview_config, resolve_config
from fusion_tool.config.merging import merge_settings
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import OtherSettingsError
from fusion_tool.errors import ConfigError

_FLAGS = {
    "preset": ("--preset", "preset"),
    "config": ("--config", "config"),
    "panel": ("--model", "models"),
    "model": ("--model", "models"),
    "judge": ("--judge", "judge"),
    "synthesizer": ("--synthesizer", "synthesizer"),
    "strategy": ("--strategy", "strategy"),
    "quality": ("--quality", "quality"),
    "privacy": ("--privacy", "privacy"),
    "verify": ("--verify", "verify"),
    "deny": ("--deny", "deny"),
    "require_open_weights": ("--open-weights", "require_open_weights"),
    "hedge": ("--hedge", "hedge"),
    "instructions": ("--instructions", "instructions"),
    "documents": ("--docs", "documents"),
    "search": ("--search", "search"),
    "excluded_domains": ("--exclude", "exclude"),
    "bash": ("--bash", "bash"),
    "limits.usd": ("--max-usd", "usd"),
    "limits.tokens": ("--max-tokens", "tokens"),
    "limits.seconds": ("--max-seconds", "seconds"),
    "limits.quorum": ("--quorum", "quorum"),
    "limits.grace_seconds": ("--grace", "grace_seconds"),
}
"""By the field of the configuration, the flag that sets it and its name in `ConfigOptions`."""


@dataclass(frozen=True)
class ConfigOptions:
    """The flags that set the configuration; `None`, `False` and empty stand for a flag that was not used."""

    preset: str | None = None
    config: Path | None = None
    models: tuple[str, ...] = ()
    judge: str | None = None
    synthesizer: str | None = None
    strategy: str | None = None
    quality: float | None = None
    privacy: str | None = None
    deny: tuple[str, ...] = ()
    require_open_weights: bool = False
    follow_up: bool = False
    verify: bool = False
    cache: bool = False
    hedge: float | None = None
    instructions: str | None = None
    documents: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    no_search: bool = False
    exclude: tuple[str, ...] = ()
    bash: str | None = None
    usd: float | None = None
    tokens: int | None = None
    allow_unpriced: bool = False
    seconds: float | None = None
    quorum: int | None = None
    grace_seconds: float | None = None

    @property
    def names_panel(self) -> bool:
        """Whether a preset, a file or models are named."""
        return bool(self.preset or self.config or self.models)

    def to_config(self, *, calls_models: bool = True, base: FusionConfig | None = None) -> FusionConfig:
        """Return the run's configuration.

        Args:
            calls_models: Whether a model is to be called, for which even the default preset needs a key.
            base: What the flags change where none names a panel; `None` for the user's file or the default preset.

        Raises:
            ConfigError: As `fusion_tool.config.loading.resolve_config`, with the flag that caused it as its field.
        """
        resolve = resolve_config if calls_models else preview_config
        try:
            config = resolve(self.config if self.names_panel else base, preset=self.preset, **self._overrides())
        except ConfigError as error:
            raise self.in_option_terms(error) from None
        # Bans are added, and do not replace the file's: a flag that is forgotten must not open what the file closed.
        bans = {"excluded_domains": (*config.excluded_domains, *self.exclude), "deny": (*config.deny, *self.deny)}
        return merge_settings(config, bans)

    def in_option_terms(self, error: ConfigError) -> ConfigError:
        """Return `error` with the flag, or the flags, that caused it as its field; unchanged where no flag did."""
        # The nested name first (`limits.usd`), then the first part alone, as for a seat's field (`panel.0.model`).
        parts = (error.field or "").split(".")
        for field in (".".join(parts[:2]), parts[0]):
            flag, name = _FLAGS.get(field, ("", ""))
            value = getattr(self, name) if name else None
            if value is not None and value is not False and value != ():  # not by truth: 0.0 is a choice
                return ConfigError(error.message, field=flag)
        # Any flag makes a configuration of its own, in which nobody need have named the setting that differs.
        if isinstance(error, OtherSettingsError) and (flags := self._flags()):
            return ConfigError("a resumed run keeps its own settings; leave this out, or ask anew", field=flags)
        return error

    def _flags(self) -> str:
        names = {name: flag for flag, name in _FLAGS.values()}
        used = (field.name for field in fields(self) if getattr(self, field.name) != field.default)
        return ", ".join(names.get(name, f"--{name.replace('_', '-')}") for name in used)

    def _overrides(self) -> dict[str, Any]:
        limits = {name: getattr(self, name) for name in ("usd", "tokens", "seconds", "quorum", "grace_seconds")}
        # A flag that was not used is `None` here, and is left out below: it overrides nothing.
        values = {
            "panel": [{"model": name} for name in self.models] or None,
            "judge": None if self.judge is None else {"model": self.judge},
            "synthesizer": None if self.synthesizer is None else {"model": self.synthesizer},
            "strategy": self.strategy,
            "quality": self.quality,
            "privacy": self.privacy,
            "require_open_weights": self.require_open_weights or None,
            "follow_up": self.follow_up or None,
            "verify": self.verify or None,
            "cache": self.cache or None,
            "hedge": self.hedge,
            "instructions": self.instructions,
            "documents": self.documents or None,
            "search": {"providers": self.search} if self.search else None,
            "bash": self.bash,
            "allow_unpriced": self.allow_unpriced or None,
            "limits": {name: value for name, value in limits.items() if value is not None} or None,
        }
        overrides = {name: value for name, value in values.items() if value is not None}
        # The one setting for which `None` means something.
        return overrides | ({"search": None} if self.no_search else {})
