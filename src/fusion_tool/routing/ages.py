"""How old the profiles are: the days of their scores, and the models that are gone, about to go, or have a successor.

`python -m fusion_tool.routing.ages` tells it and fails where the newest shipped score is too old for a release.
"""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from datetime import date as Date  # noqa: N812 - as in `profiles`
from typing import NamedTuple

from fusion_tool.budget.pricing import is_priced, renamed_model, similar_model
from fusion_tool.config.presets import shipped_roles
from fusion_tool.routing.profiles import Profile, last_successor, profile_of, shipped_profiles

OLD = timedelta(days=120)
"""From here on a score is called old: a vendor replaces its models about three times a year."""
TOO_OLD = timedelta(days=200)
"""Nothing is released whose newest score is older than this."""


class ModelAge(NamedTuple):
    """What time has done to one model.

    Args:
        model: As a configuration names it.
        priced: Whether the price list knows it.
        retires_on: The day from which its vendor no longer serves it, `None` where none is set.
        successor: The `Profile.id` at the end of its successors, `None` where it has none.
        scored_on: The day of its newest score, `None` where it has none.
    """

    model: str
    priced: bool
    retires_on: Date | None
    successor: str | None
    scored_on: Date | None

    def findings(self, today: Date) -> list[str]:
        """Return what a person should know of it, for people; empty where nothing has aged."""
        findings = []
        if not self.priced:
            findings.append(self._loss(today))
        if self.retires_on is not None:
            findings.append(f"{'retired' if self.retires_on <= today else 'retires'} on {self.retires_on}")
        if self.successor is not None:
            findings.append(f"superseded by {self.successor}")
        if self.scored_on is not None and today - self.scored_on > OLD:
            findings.append(f"its newest score is {(today - self.scored_on).days} days old")
        return findings

    def _loss(self, today: Date) -> str:
        """Return what became of a model that the price list does not know, as far as that lets itself be known."""
        if (name := renamed_model(self.model)) is not None:
            return f"renamed: the price list has it as {name}"
        if self.successor is not None or (self.retires_on is not None and self.retires_on <= today):
            return "gone: the price list no longer knows it"
        return f"the price list does not know it{similar_model(self.model)}: gone, renamed or misspelled"


def newest_score(profiles: Iterable[Profile]) -> Date | None:
    """Return the day of the newest score of `profiles`, `None` where there is none."""
    days = (score.date for profile in profiles for rows in profile.scores.values() for score in rows)
    return max(days, default=None)


def age_models(models: Iterable[str], profiles: Mapping[str, Profile]) -> list[ModelAge]:
    """Return what time has done to each of `models`, in their order and each once; one without a profile has no dates.

    Args:
        models: As a configuration names them, `"provider:model"`.
        profiles: As `load_profiles` returns them.

    Raises:
        ConfigError: A model's successors lead to no profile, or in a circle.
    """
    return [_age(model, profile_of(model, profiles), profiles) for model in dict.fromkeys(models)]


def _age(model: str, profile: Profile | None, profiles: Mapping[str, Profile]) -> ModelAge:
    if profile is None:
        return ModelAge(model, is_priced(model), None, None, None)
    last = last_successor(profile, profiles)
    return ModelAge(
        model, is_priced(model), profile.retires_on, None if last is profile else last.id, newest_score([profile])
    )


def _today() -> Date:
    return datetime.now(UTC).date()


def main() -> int:
    """Print what has aged of the shipped presets' models; return 1 where the newest shipped score is too old."""
    today = _today()
    profiles = shipped_profiles()
    models = sorted({model for role in shipped_roles() for model in (role.model_name, *role.fallbacks)})
    for age in age_models(models, profiles):
        for finding in age.findings(today):
            sys.stdout.write(f"{age.model}: {finding}\n")
    newest = newest_score(profiles.values())
    sys.stdout.write(f"the newest score is of {newest}\n")
    return 0 if newest is not None and today - newest <= TOO_OLD else 1


if __name__ == "__main__":
    sys.exit(main())
