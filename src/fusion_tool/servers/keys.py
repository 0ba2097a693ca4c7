"""The callers of a server: who holds which key, and what each may ask for.

A keys file is TOML, a table a caller; `FUSION_SERVER_KEYS` lists keys without a file. Of a key only its SHA-256 is
stored: a key is a long random text, which nobody finds by guessing, so that no slow hash is needed.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from starlette.types import Scope

from fusion_tool.config.base import ConfigModel, Positive, Tokens
from fusion_tool.config.key_file import can_be_sent
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import read_toml
from fusion_tool.errors import ConfigError

VARIABLE = "FUSION_SERVER_KEYS"
_CALLER = "fusion_tool.caller"
"""Key of an ASGI scope that holds the request's `Caller`."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A name stands in metrics and in lines of the log.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _check_digest(value: Any) -> Any:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ConfigError("expected the SHA-256 of the key, 64 hexadecimal digits in lower case, and not the key")
    return value


class CallerLimits(ConfigModel):
    """The most that one run of a caller may take; what is left out is as the operator's panel has it."""

    usd: Positive | None = None
    tokens: Tokens | None = None
    seconds: Positive | None = None


class Caller(ConfigModel):
    """The holder of a key.

    Args:
        name: Stands in metrics and logs.
        sha256: Hash of the key, in hexadecimal digits.
        models: Served models that the caller may ask, by name; `None` for all of them.
        limits: The most that one run may take.
        usd_a_day: US dollars of all runs of a day, in UTC; `None` for no limit.
        metrics: Whether the key opens `/metrics`, which tells what every caller does.
    """

    name: str
    sha256: Annotated[str, BeforeValidator(_check_digest)]
    models: tuple[str, ...] | None = None
    limits: CallerLimits = CallerLimits()
    usd_a_day: Positive | None = None
    metrics: bool = False

    @property
    def owner(self) -> str:
        """Whose are kept runs and cached answers: the key's, since the next key of the same name is another's."""
        return self.sha256[:16]

    def may_ask(self, model: str) -> bool:
        """Tell whether the caller may ask a served model."""
        return self.models is None or model in self.models

    def narrow(self, config: FusionConfig) -> FusionConfig:
        """Return the operator's configuration under the caller's limits, which never widen it."""
        limits = config.limits
        tighter = {
            name: most if (own := getattr(limits, name)) is None else min(own, most)
            for name, most in self.limits.model_dump(exclude_none=True).items()
        }
        return config.model_copy(update={"limits": limits.model_copy(update=tighter)}) if tighter else config


ANONYMOUS = Caller.model_construct(name="", sha256="", metrics=True)
"""Who asks a server that has no keys."""


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_caller(key: str, callers: Sequence[Caller]) -> Caller | None:
    """Return the caller who holds `key`; `None` where nobody does."""
    digest = hash_key(key)
    # Every hash is compared, each in constant time: the time of the response tells nothing about the keys.
    matches = [caller for caller in callers if hmac.compare_digest(digest, caller.sha256)]
    return matches[0] if matches else None


def attach_caller(scope: Scope, caller: Caller) -> None:
    """Remember who sends a request."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller:
    """Return who sends a request; `ANONYMOUS` where the server has no keys."""
    caller: Caller = scope.get(_CALLER, ANONYMOUS)
    return caller


def load_callers(file: Path | None = None) -> tuple[Caller, ...]:
    """Return the callers of the keys file, and of `FUSION_SERVER_KEYS`, whose keys are separated by commas.

    Args:
        file: The keys file; `None` where there is none.

    Raises:
        ConfigError: The file cannot be read, an entry is wrong, two are the same, or the variable is set and holds no
            key, or what no client can send.
    """
    keys = [key for part in os.environ.get(VARIABLE, "").split(",") if (key := part.strip())]
    # Whoever sets it means that keys are asked for: without one the server would be open to this machine.
    if VARIABLE in os.environ and not keys and file is None:
        raise ConfigError("is set but empty: give keys with commas between them, or unset it", field=VARIABLE)
    if not all(map(can_be_sent, keys)):
        raise ConfigError("one of the keys has characters that no key has", field=VARIABLE)
    # As they have no limits, they are the operator's own.
    callers = [Caller(name=f"key-{place}", sha256=hash_key(key), metrics=True) for place, key in enumerate(keys, 1)]
    if file is not None:
        callers += [_read_entry(file, name, entry) for name, entry in read_toml(file, field="keys").items()]
        if not callers:
            raise ConfigError(f"{file} names no caller: it needs a table such as [alice] with its sha256", field="keys")
    where = file or VARIABLE
    for place, caller in enumerate(callers):
        for other in callers[:place]:
            if caller.name == other.name:
                raise ConfigError(f"{where}: two callers are named '{caller.name}'", field="keys")
            if caller.sha256 == other.sha256:
                raise ConfigError(f"{where}: '{caller.name}' has the key of '{other.name}'", field="keys")
    return tuple(callers)


def check_callers(callers: Sequence[Caller], config: FusionConfig, served: Collection[str] | None = None) -> None:
    """Refuse callers whose terms cannot hold.

    Args:
        callers: The callers.
        config: The operator's panel.
        served: The names of the served models; `None` does not look at those that the callers may ask.

    Raises:
        ConfigError: A model is not served, or a day's dollars have no run's limit that could be reserved of them.
    """
    for caller in callers:
        for model in caller.models or ():
            if served is not None and model not in served:
                raise ConfigError(
                    f"'{caller.name}' may ask '{model}', which is not served; there are {', '.join(served)}",
                    field="keys",
                )
        if caller.usd_a_day is not None and caller.narrow(config).limits.usd is None:
            raise ConfigError(
                f"'{caller.name}' has usd_a_day, of which each run reserves its limit: set limits.usd for this key or "
                "for the panel",
                field="keys",
            )


def _read_entry(file: Path, name: str, entry: Any) -> Caller:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{file}: {name!r}: a name is up to 64 letters, digits, '.', '_' and '-'", field="keys")
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{file}: '{name}': expected a table, [{name}], with its sha256", field="keys")
    if "name" in entry:
        raise ConfigError(f"{file}: [{name}] name: the table's own name is the caller's", field="keys")
    try:
        return Caller(**entry, name=name)
    except ConfigError as error:
        raise ConfigError(f"{file}: [{name}] {error}", field="keys") from None
