"""`fusion-tool eval watch`: silent unless a model got worse, is gone, or retires."""

import re
from pathlib import Path

import pytest
from platformdirs import user_config_path
from typer.testing import CliRunner

from fusion_tool.routing.profiles import OWN_FILE
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


def test_a_model_that_is_gone_is_told(provider, canaries, baseline):
    provider.reply("v/b", faults.withdrawn("v/b"))
    done = watch(canaries, baseline, "--show")
    assert done.exit_code == 5
    assert "b gives no answers: model_unavailable" in done.stderr
    assert "cannot tell judge now from judge then" in done.stdout


def test_a_model_that_retires_soon_is_told(canaries, baseline):
    own = user_config_path("fusion-tool") / OWN_FILE
    own.parent.mkdir(parents=True, exist_ok=True)
    known = 'vendor = "v"\nfamily = "v"\norigin = "US"\ndirect = "ollama:v-b"\nretires_on = 2000-01-01\n'
    own.write_text(f'["v/b"]\n{known}', "utf-8")
    try:
        done = watch(canaries, baseline)
    finally:
        Path(own).unlink()
    assert (done.exit_code, done.stderr) == (5, "warning: openrouter:v/b retires on 2000-01-01\n")
