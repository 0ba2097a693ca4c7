"""The weekly change of the profiles: last days that a list announces, and nothing else."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from fusion_tool.cli.model_listings import ListedModel
from fusion_tool.cli.profile_updates import announced_days, main, write_days
from fusion_tool.routing import profiles
from fusion_tool.routing.profiles import Profile
from tests.scripted_server import ScriptedServer

DAY = date(2027, 3, 1)
ENDS = ListedModel(deprecated=True, last_day=DAY)
TEXT = Path(profiles.__file__).with_name("profiles.toml").read_text("utf-8")
SET, UNSET = "openai/gpt-5-mini", "openai/gpt-oss-120b"


@pytest.fixture(autouse=True)
def _shipped(shipped_profiles: Mapping[str, Profile]) -> None:
    assert shipped_profiles[SET].retires_on
    assert not shipped_profiles[UNSET].retires_on


def test_only_a_day_that_no_profile_has_is_taken(shipped_profiles: Mapping[str, Profile]) -> None:
    listing = dict.fromkeys((SET, UNSET, "somebody/else"), ENDS)
    assert announced_days(shipped_profiles.values(), listing) == {UNSET: DAY}
    assert announced_days(shipped_profiles.values(), {UNSET: ListedModel(deprecated=True)}) == {}


def test_every_profile_can_get_one_and_the_rest_stays_as_it_was(shipped_profiles: Mapping[str, Profile]) -> None:
    without = [profile.id for profile in shipped_profiles.values() if not profile.retires_on]
    changed = write_days(TEXT, dict.fromkeys(without, DAY))
    before, after = tomllib.loads(TEXT), tomllib.loads(changed)
    assert [name for name in before if after[name] != before[name]] == without
    assert all(after[name] == before[name] | {"retires_on": DAY} for name in without)
    assert [line for line in changed.splitlines() if line != f"retires_on = {DAY}"] == TEXT.splitlines()


@pytest.mark.loopback
@pytest.mark.parametrize(("arguments", "writes"), [([], True), (["--dry-run"], False)])
def test_the_list_is_asked_and_the_file_written(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], writes: bool
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(TEXT, "utf-8")
    monkeypatch.setattr(profiles, "SHIPPED_FILE", file)
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    scripted.models.append({"id": UNSET, "expiration_date": str(DAY)})
    assert main(arguments) == 0
    assert file.read_text("utf-8") == (write_days(TEXT, {UNSET: DAY}) if writes else TEXT)


@pytest.mark.loopback
@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--dry-run"], 0)])
def test_without_a_list_a_change_fails(monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:9/v1")
    assert main(arguments) == status
