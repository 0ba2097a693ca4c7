"""`fusion-tool eval watch`: silent unless a model got worse, is gone, or retires."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from platformdirs import user_config_path
from typer.testing import CliRunner

from fusion_tool.config.schema import FusionConfig
from fusion_tool.routing.choose import choose
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.profiles import OWN_FILE, load_profiles
from tests.integration.evaluating import APART, app, number, script, tasks
from tests.scripted_server import Reply, faults

pytestmark = pytest.mark.loopback


def evaluate(*arguments):
    return CliRunner().invoke(app, ["eval", *arguments], prog_name="fusion-tool", catch_exceptions=False)


@pytest.fixture
def canaries(tmp_path):
    """Tasks with references; the models know them all."""
    file = tasks(tmp_path / "tasks.jsonl", 24)
    lines = [line for line in file.read_text("utf-8").splitlines() if "reference" in line]
    file.write_text("\n".join(lines), "utf-8")
    return file


@pytest.fixture
def baseline(provider, tmp_path, canaries):
    script(provider)
    out = tmp_path / "results"
    arms = ("--arm", "b=solo:openrouter:v/b", "--arm", "judge=solo:openrouter:v/judge", "--arm", "self:openrouter:v/b")
    done = evaluate("run", str(canaries), *arms, "--out", str(out), *APART)
    assert done.exit_code == 0, done.stderr
    return out


def watch(canaries, baseline, *options):
    return evaluate("watch", str(canaries), "--baseline", str(baseline), *options)


def test_where_nothing_is_wrong_nothing_is_said(provider, canaries, baseline):
    before = provider.counts
    done = watch(canaries, baseline)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert provider.counts - before == {"v/b": 12, "v/judge": 12}
    assert watch(canaries, baseline).exit_code == 0
    assert provider.counts - before == {"v/b": 12, "v/judge": 12}  # the same day goes on with the same folder


def test_a_model_that_got_worse_is_told(provider, canaries, baseline, tmp_path):
    provider.reply("v/b", lambda request: Reply(f"The answer: {number(request) + 1}.", cost=0.001))
    done = watch(canaries, baseline, "--out", str(tmp_path / "now"))
    assert done.exit_code == 5
    (line,) = done.stderr.splitlines()
    assert re.match(r"warning: b now is worse than b then by 100\.0 points", line)


def elsewhere(model):
    return None if model.startswith("ollama:") else "is elsewhere"


def test_what_was_measured_of_a_model_that_got_worse_is_stale_and_the_router_says_so(
    provider, canaries, baseline, tmp_path, user_folder
):
    known = 'vendor = "{0}"\nfamily = "{0}"\norigin = "US"\ndirect = "ollama:{0}"\n'
    tables = [f'["{name}"]\n{known.format(name.replace("/", "-"))}' for name in ("v/b", "v/judge")]
    (user_folder / OWN_FILE).write_text("\n".join(tables), "utf-8")
    assert evaluate("profiles", str(baseline), "--min-tasks", "2").exit_code == 0
    domain = next(iter(load_profiles(user_folder)["v/b"].scores))
    auto = FusionConfig(panel=("openrouter:v/a", "openrouter:v/c"), strategy="auto", health=False)
    signals = classify("").model_copy(update={"domain": domain, "confidence": 0.9})
    plan = partial(choose, "Q?", "", auto, today=datetime.now(UTC).date(), signals=signals, rejection_of=elsewhere)
    quality = {one.model: one.quality for one in plan(profiles=load_profiles(user_folder)).candidates}
    assert quality["ollama:v-b"] == quality["ollama:v-judge"] == 1
    provider.reply("v/b", lambda request: Reply(f"The answer: {number(request) + 1}.", cost=0.001))
    done = watch(canaries, baseline, "--out", str(tmp_path / "now"))
    assert "what was measured of v/b is stale: the router does not use it any more" in done.stderr
    profiles = load_profiles(user_folder)
    assert all(row.stale_since for rows in profiles["v/b"].scores.values() for row in rows)
    assert not any(row.stale_since for rows in profiles["v/judge"].scores.values() for row in rows)
    choice = plan(profiles=profiles)
    assert {one.model: one.quality for one in choice.candidates}["ollama:v-b"] is None
    assert "as the models have changed: scores of v/b" in choice.reason
    # Measured anew it counts again; what has not changed stays as it is.
    assert evaluate("profiles", str(baseline), "--min-tasks", "2").exit_code == 0
    assert not any(row.stale_since for rows in load_profiles(user_folder)["v/b"].scores.values() for row in rows)


def test_a_model_that_is_gone_is_told(provider, canaries, baseline):
    provider.reply("v/b", faults.withdrawn("v/b"))
    done = watch(canaries, baseline, "--show")
    assert done.exit_code == 5
    assert "b gives no answers: model_unavailable" in done.stderr
    assert "cannot tell judge now from judge then" in done.stdout


def test_a_model_that_retires_soon_is_told(canaries, baseline):
    own = user_config_path("fusion-tool") / OWN_FILE
    own.parent.mkdir(parents=True, exist_ok=True)
    soon = (datetime.now(UTC) + timedelta(days=10)).date()
    known = f'vendor = "v"\nfamily = "v"\norigin = "US"\ndirect = "ollama:v-b"\nretires_on = {soon}\n'
    own.write_text(f'["v/b"]\n{known}', "utf-8")
    try:
        done = watch(canaries, baseline)
    finally:
        Path(own).unlink()
    assert (done.exit_code, done.stderr) == (5, f"warning: openrouter:v/b retires on {soon}\n")
