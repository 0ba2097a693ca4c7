"""Any profile file: it is refused in a line, or every plan by it holds and says how old its scores are."""

import json
import re
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.errors import ConfigError
from fusion_tool.routing.ages import age_models
from fusion_tool.routing.candidates import rejection_rule
from fusion_tool.routing.casts import cast_roles
from fusion_tool.routing.choose import choose
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.classifier.signals import DOMAINS
from fusion_tool.routing.profiles import MEASURED_FILE, OWN_FILE, load_profiles

MODELS = ["openai/gpt-5.5", "anthropic/claude-opus-4.8", "z-ai/glm-5", "moonshotai/kimi-k2.6", "google/gemma-4-31b-it"]
OWN = FusionConfig(panel=tuple(f"openrouter:{name}" for name in MODELS[:3]), strategy="auto", health=False)
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))
AGE = re.compile(r"[tT]he newest score compared is \d+ days old|[nN]o allowed model has a score that could be compared")

ROW = st.fixed_dictionaries(
    {
        "score": st.sampled_from([0, 0.0, 1e-9, 50, 99.9, 100]),
        "benchmark": st.sampled_from(["one", "two"]),
        "source": st.just("s"),
        "date": DAYS,
    },
    optional={"stale_since": DAYS},
)
TABLE = st.fixed_dictionaries(
    {},
    optional={
        "retires_on": DAYS,
        "successor": st.sampled_from(MODELS),
        "context": st.integers(1, 10**6),
        "scores": st.dictionaries(st.sampled_from(DOMAINS), ROW, max_size=4),
        "writes": st.lists(st.builds(lambda row, judge: {**row, "judge": judge}, ROW, st.sampled_from(MODELS))),
    },
)
FILE = st.dictionaries(st.sampled_from(MODELS), TABLE)


def to_toml(value):
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {to_toml(one)}" for key, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(to_toml, value)) + "]"
        case date():
            return value.isoformat()
        case _:
            return json.dumps(value)


def write(path, tables):
    lines = [f"{json.dumps(name)} = {to_toml(table)}" for name, table in tables.items()]
    path.write_text("\n".join(lines), "utf-8")


ASKED = st.fixed_dictionaries(
    {
        "domain": st.sampled_from(DOMAINS),
        "closed": st.booleans(),
        "difficulty": st.sampled_from(["easy", "hard"]),
    }
)
WISHES = st.fixed_dictionaries(
    {
        "quality": st.floats(0, 1, exclude_min=True) | st.just(1.0),
        "limits": st.builds(Limits, usd=st.none() | st.floats(1e-6, 1)),
    }
)


@given(files=st.tuples(FILE, FILE), today=DAYS, asked=ASKED, wishes=WISHES)
def test_whatever_a_profile_file_says_there_is_a_plan_or_one_line(files, today, asked, wishes):
    with TemporaryDirectory() as folder:
        for name, tables in zip((OWN_FILE, MEASURED_FILE), files, strict=True):
            write(Path(folder) / name, tables)
        try:
            profiles = load_profiles(Path(folder))
        except ConfigError as error:
            assert "leads in a circle" in str(error)  # noqa: PT017 - raised for some examples alone
            assert "\n" not in str(error)  # noqa: PT017 - raised for some examples alone
            return
    config = OWN.model_copy(update=wishes)
    signals = classify("").model_copy(update={"confidence": 0.9, **asked})
    rejection_of = rejection_rule(config, profiles=profiles, keyed=None)
    choice = choose(
        "Q?", "", config, profiles=profiles, today=today, signals=signals, rejection_of=rejection_of, nearest=True
    )
    assert choice.panel
    assert AGE.search(choice.reason)
    retired = {name for profile in profiles.values() if profile.is_retired(today) for name in profile.names}
    if choice.panel != config.panel:
        assert not retired & {name for seat in choice.panel for name in (seat.model, *seat.fallbacks)}
    cast = cast_roles(config, profiles=profiles, rejection_of=rejection_of, unavailable=(), today=today).config
    if cast.judge is not None:
        assert cast.judge.model != cast.synthesizer.model
    assert all(age.findings(today) is not None for age in age_models(profiles, profiles))
