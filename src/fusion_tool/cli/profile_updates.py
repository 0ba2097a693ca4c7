"""The weekly change of the shipped profiles: the last days of models that OpenRouter's list, open to all, announces.

`python -m fusion_tool.cli.profile_updates` writes them into `profiles.toml`; with `--dry-run` it only tells them.
Scores are texts that a person reads: `fusion_tool.routing.ages` tells how old they are.
"""

import asyncio
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import date

from fusion_tool.cli.model_listings import Listing, address, fetch_listings, find_listed
from fusion_tool.config.schema import Panelist
from fusion_tool.routing import profiles
from fusion_tool.routing.profiles import Profile, shipped_profiles


def announced_days(known: Iterable[Profile], listing: Listing) -> dict[str, date]:
    """Return the last days that a list announces of models whose profile has none, by the profile's id."""
    # A day that stands there is the vendor's own, from its page: it is not replaced by a reseller's.
    listed = {
        profile.id: find_listed(Panelist(profile.names[0]), listing) for profile in known if not profile.retires_on
    }
    return {name: model.last_day for name, model in listed.items() if model is not None and model.last_day is not None}


def write_days(text: str, days: Mapping[str, date]) -> str:
    """Return the profiles' TOML with last days, all else as a person wrote it.

    Args:
        text: The file.
        days: By the id of a profile without one.
    """
    for name, day in days.items():
        # Behind the plain settings of its table, before its scores.
        table = re.compile(rf'(^\["{re.escape(name)}"\]\n(?:(?!\[).+\n)*)', re.MULTILINE)
        text = table.sub(rf"\g<1>retires_on = {day}\n", text, count=1)
    return text


def main(arguments: list[str]) -> int:
    """Bring the shipped profiles up to date; return 1 where there is no list to do it by."""
    known = [profile for profile in shipped_profiles().values() if profile.names[0].startswith("openrouter:")]
    asked = Panelist(known[0].names[0])
    listing = asyncio.run(fetch_listings([asked]))[address(asked) or ""]
    if isinstance(listing, str):
        print(f"no list of models: {listing}")  # noqa: T201 - a program
        return int("--dry-run" not in arguments)
    days = announced_days(known, listing)
    for name, day in days.items():
        print(f"{name} ends on {day}")  # noqa: T201 - a program
    if days and "--dry-run" not in arguments:
        text = write_days(profiles.SHIPPED_FILE.read_text("utf-8"), days)
        profiles.SHIPPED_FILE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
