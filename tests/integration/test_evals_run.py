"""An evaluation from end to end: asked, killed, gone on with, graded, reported; and what goes wrong on the way."""

import json
import re
import shutil
import signal
import subprocess
from collections import Counter

import pytest
from typer.testing import CliRunner

from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import try_lock
from fusion_tool.evals.costs import eval_bill
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow
from fusion_tool.routing.decide import settle_roles
from fusion_tool.routing.profiles import OWN_FILE, load_profiles
from tests.integration.evaluating import (
    APART,
    GRADER,
    OTHER_GRADER,
    app,
    asked,
    number,
    panel_file,
    process,
    recording,
    script,
    tasks,
)
from tests.scripted_server import Hang, Reply, faults

pytestmark = pytest.mark.loopback
AT_ONCE = 12
"""Calls that four tasks under way have on the wire at most: a panel's two seats, or a judge, each."""


@pytest.fixture(autouse=True)
def answers(provider):
    script(provider)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def four(tmp_path, out):
    """A command with 20 tasks and 4 arms."""
    arms = ("solo=solo:openrouter:v/a", "self=self:openrouter:v/a", f"panel=panel:{panel_file(tmp_path / 'p.toml')}")
    recorded = f"old=replay:{recording(tmp_path / 'old.jsonl')}"
    given = [option for arm in (*arms, recorded) for option in ("--arm", arm)]
    file = str(tasks(tmp_path / "tasks.jsonl"))
    return ("run", file, *given, "--judge", f"openrouter:{GRADER}", "--out", str(out), *APART)


def evaluate(*arguments):
    """`fusion-tool eval` in this process."""
    return CliRunner().invoke(app, ["eval", *arguments], prog_name="fusion-tool", catch_exceptions=False)


def smallest(tmp_path, out, *arms, count=2, judge=True):
    given = [option for arm in arms or ("solo=solo:openrouter:v/a",) for option in ("--arm", arm)]
    graded = ("--judge", f"openrouter:{GRADER}") if judge else ("--no-grade",)
    return ("run", str(tasks(tmp_path / "tasks.jsonl", count)), *given, *graded, "--out", str(out), *APART)


def test_a_killed_run_goes_on_without_paying_again(provider, four, out):
    silent = {("v/a", 9), ("v/b", 9)}
    provider.on(lambda request: (request.model, number(request)) in silent, Hang())
    running = process(*four)
    try:
        provider.wait_until(lambda: provider.in_flight >= 3 and len(provider.requests) > 60, 60)
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()
    before = asked(provider)
    assert 60 < sum(before.values()) < 250
    provider._rules.clear()

    done = evaluate(*four, "--grade-seats")
    assert done.exit_code == 0, done.stderr
    assert "answered: 80" in done.stderr
    whole = asked(provider)
    # Of each task: `v/a` alone, twice, and in the panel; its judge and writer, `v/a` for the self-fusion.
    once = {("v/a", "seat"): 4, ("v/b", "seat"): 1, ("v/a", "compare"): 1, ("v/a", "write"): 1}
    once |= {("v/judge", "compare"): 1, ("v/judge", "write"): 1}
    again = Counter({key: count - once[key[0], key[2]] for key, count in whole.items() if key[0] != GRADER})
    assert again["v/a", 9, "seat"] + again["v/b", 9, "seat"] >= 1
    assert 0 < sum(again.values()) <= AT_ONCE, "what was under way at the kill, and nothing that was done"
    graded = _graded(provider).values()
    assert sum(graded) - len(graded) <= AT_ONCE

    results = Results(out)
    assert len(results.answer_rows) == 80
    paid = sum(whole.values()) - sum(again.values())
    assert eval_bill(results).total.cost_usd == pytest.approx(0.001 * paid, abs=0.001 * AT_ONCE)
    count = len(provider.requests)
    assert evaluate(*four, "--grade-seats").exit_code == 0
    assert len(provider.requests) == count


def _graded(provider):
    return Counter((one.model, one.prompt, number(one)) for one in provider.calls(GRADER))


def test_the_report_tells_it_in_three_forms(four, out, tmp_path):
    told = evaluate(*four, "--grade-seats")
    assert told.exit_code == 0, told.stderr
    markdown = tmp_path / "report.md"
    shown = evaluate("report", str(out), "--markdown", str(markdown), "--against", "solo")
    for text in (told.stdout, shown.stdout, markdown.read_text("utf-8")):
        plain = text.replace("\\", "")
        assert "self is better than solo by 45.0 points" in plain
        assert "synthesis lift: self is better than solo" in plain
        assert "diversity lift: cannot tell panel from self" in plain
        assert "met by the answer" in plain
    assert "old is better than self" not in shown.stdout


def test_the_page_opens_in_a_browser(four, out, tmp_path):
    pytest.importorskip("leather", reason="the page's pictures need the extra")
    evaluate(*four, "--grade-seats")
    page = tmp_path / "report.html"
    assert evaluate("report", str(out), "--html", str(page)).exit_code == 0
    html = page.read_text("utf-8")
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", html)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here to open the page in")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom")
    opened = subprocess.run([chromium, *options, page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert opened.stdout.count("<svg") == html.count("<svg") > 6
    assert "What the answer keeps" in opened.stdout


def test_judges_and_synthesizers_read_the_same_bytes_of_a_panel_paid_once(provider, tmp_path, out):
    file = panel_file(tmp_path / "p.toml")
    arms = (f"one=panel:{file}", f"two=panel:{file},synthesizer=openrouter:v/other")
    provider.reply("v/other", "Another one wrote this.")
    assert evaluate(*smallest(tmp_path, out, *arms, judge=False)).exit_code == 0
    assert (provider.counts["v/a"], provider.counts["v/b"]) == (2, 2)
    judged = {n: [one.messages for one in provider.calls("v/judge") if number(one) == n] for n in (0, 1)}
    written = {number(one): one.messages for one in provider.calls("v/other")}
    for n, read in judged.items():
        assert len(read) == 3  # each arm's comparison, and the first one's synthesis
        assert sum(messages == read[0] for messages in read) == 2
        assert written[n] in read


def test_each_judge_with_each_writer_over_one_panel_is_a_table_that_chooses_from_then_on(
    provider, tmp_path, out, user_folder
):
    known = 'vendor = "{0}"\nfamily = "{0}"\norigin = "US"\ndirect = "ollama:{0}"\n'
    models = ("v/judge", "v/other", "v/a", "v/b")
    tables = [f'["{name}"]\n{known.format(name.replace("/", "-"))}' for name in models]
    (user_folder / OWN_FILE).write_text("\n".join(tables), "utf-8")
    provider.reply("v/other", "Another one wrote this.")
    roles = "judge=openrouter:v/judge|openrouter:v/b,synthesizer=openrouter:v/other|openrouter:v/a|openrouter:v/b"
    asked_for = smallest(tmp_path, out, f"cast=panel:{panel_file(tmp_path / 'p.toml')},{roles}", count=4)
    assert evaluate(*asked_for).exit_code == 0
    assert list(Results(out).manifest.arms) == [f"cast-{number}" for number in range(1, 7)]
    shown = evaluate("profiles", str(out), "--min-tasks", "2")
    assert shown.exit_code == 0, shown.stderr
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert rows[0] == ["judge", "writer", "panel", "score", "interval", "n"]
    assert [row[0:2] for row in rows if row[-3:] == ["in", "both", "roles"]] == [["openrouter:v/b", "openrouter:v/b"]]
    profiles = load_profiles(user_folder)
    written = {name: {row.judge: row.score for row in profiles[name].writes} for name in ("v/other", "v/a", "v/b")}
    assert {name: set(judges) for name, judges in written.items()} == {
        "v/other": {"v/judge", "v/b"},
        "v/a": {"v/judge", "v/b"},
        "v/b": {"v/judge"},
    }
    assert max(written["v/other"].values()) < min(written["v/a"].values())
    assert all(row.measured for row in profiles["v/a"].writes)
    cast = settle_roles(FusionConfig(panel=("openrouter:v/other", "openrouter:v/a", "openrouter:v/judge")))
    assert (cast.config.judge.model, cast.config.synthesizer.model) == ("openrouter:v/judge", "openrouter:v/a")


def test_what_was_decided_for_the_arm_that_asked_the_panel_holds_for_no_other(provider, tmp_path, out):
    file = tmp_path / "p.toml"
    judge = 'judge = { model = "openrouter:v/judge", fallbacks = ["openrouter:v/barred"] }\n'
    file.write_text(f'panel = ["openrouter:v/a", "openrouter:v/b"]\n{judge}deny = ["v/barred"]\n', "utf-8")
    arms = (f"one=panel:{file}", f"two=panel:{file},judge=openrouter:v/other,synthesizer=openrouter:v/a")
    assert evaluate(*smallest(tmp_path, out, *arms, judge=False, count=1)).exit_code == 0
    assert provider.calls("v/judge")
    assert provider.calls("v/other")
    assert {row.arm: row.reason for row in Results(out).answer_rows.values()} == {"one": None, "two": None}


def test_recorded_panels_are_judged_and_written_over(provider, tmp_path, out):
    rows = [
        {"id": f"t{n}", "answers": [{"model": "x", "answer": f"{n}."}, {"model": "y", "answer": "7."}]} for n in (0, 1)
    ]
    file = tmp_path / "panels.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    done = evaluate(*smallest(tmp_path, out, f"over=replay:{file},synthesizer=openrouter:v/judge", judge=False))
    assert done.exit_code == 0, done.stderr
    assert provider.counts == {"v/judge": 4}
    (row,) = [row for row in Results(out).answer_rows.values() if row.task == "t1"]
    assert row.answer == "Having compared all of them, the answer: 1."
    assert [given.content for given in row.result.responses] == ["1.", "7."]


def test_strategies_whose_judge_decides_who_is_asked_run_as_a_whole(provider, tmp_path, out):
    file = tmp_path / "chain.toml"
    file.write_text(f'strategy = "chain"\n{panel_file(tmp_path / "p.toml").read_text("utf-8")}', "utf-8")
    done = evaluate(*smallest(tmp_path, out, f"chain=panel:{file}", judge=False))
    assert done.exit_code == 0, done.stderr
    results = Results(out)
    assert [row.panel for row in results.paid] == [None, None]
    assert not results.panels
    assert eval_bill(results).total.cost_usd == pytest.approx(0.001 * len(provider.requests))


def test_no_run_is_begun_that_could_pass_the_limit(provider, tmp_path, out):
    provider.otherwise(Reply("The answer: 1.", cost=0.02))
    arm = "solo=solo:openrouter:openai/gpt-5.5"
    command = smallest(tmp_path, out, arm, count=6, judge=False)
    stopped = evaluate(*command, "--max-usd", "0.3", "--concurrency", "1")
    assert stopped.exit_code == 4
    left = int(re.search(r"not begun: (\d+) runs", stopped.stderr)[1])
    assert 0 < left < 6
    assert provider.counts["openai/gpt-5.5"] == 6 - left
    assert evaluate(*command, "--max-usd", "20").exit_code == 0
    assert provider.counts["openai/gpt-5.5"] == 6


@pytest.mark.parametrize("arm", ["solo:openrouter:v/a", "replay:old.jsonl"])
def test_without_a_known_price_no_limit_can_be_kept(provider, tmp_path, out, arm, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording(tmp_path / "old.jsonl", 2)
    refused = evaluate(*smallest(tmp_path, out, arm), "--max-usd", "1")
    assert refused.exit_code == 2
    assert "has no known price" in refused.stderr
    assert not provider.requests


def test_a_failed_run_is_told_and_tried_again(provider, tmp_path, out):
    provider.reply("v/a", faults.unauthorized())
    command = smallest(tmp_path, out)
    done = evaluate(*command)
    assert done.exit_code == 0, done.stderr
    assert "solo: no answer from 2 of 2 runs (2 auth)" in done.stdout
    script(provider)
    again = evaluate(*command)
    assert "answered: 2" in again.stderr
    assert "no answer" not in again.stdout


def test_a_refusal_is_left_out_and_counted_as_nothing_beside(provider, tmp_path, out):
    provider.on(
        lambda request: request.model == "v/a" and number(request) == 0, "I'm sorry, but I can't help with that."
    )
    done = evaluate(*smallest(tmp_path, out))
    assert "refused 1 of 2 tasks" in done.stdout
    row = re.search(r"^solo .*$", done.stdout, flags=re.MULTILINE)[0]
    assert row.split()[1:9] == ["100.0", "-", "1", "of", "2", "50.0", "50%", "-"]
    assert not provider.calls(GRADER)


def test_a_judge_who_answers_prose_leaves_a_task_without_a_score(provider, tmp_path, out):
    provider.reply(GRADER, Reply("A fine answer, all in all.", cost=0.001))
    done = evaluate(*smallest(tmp_path, out, count=1))
    assert done.exit_code == 0
    assert "1 of 1 answers have too few verdicts for a score" in done.stdout
    assert "missing: 3 verdicts" in done.stderr
    assert eval_bill(Results(out)).grading.cost_usd == pytest.approx(0.006)
    script(provider)
    assert "too few" not in evaluate("grade", str(out)).stdout
    assert provider.counts["v/a"] == 1


def test_another_judge_and_more_passes_ask_no_arm_again(provider, tmp_path, out):
    evaluate(*smallest(tmp_path, out))
    before = provider.counts
    done = evaluate("grade", str(out), "--judge", f"openrouter:{OTHER_GRADER}", "--passes", "2")
    assert provider.counts - before == {OTHER_GRADER: 6}
    assert f"judge openrouter:{OTHER_GRADER}, 2 passes" in done.stdout


def test_a_judge_who_also_answers_is_warned_of(tmp_path, out):
    evaluate(*smallest(tmp_path, out, judge=False))
    assert "the judge openrouter:v/a also answers" in evaluate("grade", str(out), "--judge", "openrouter:v/a").stdout


def test_the_contamination_guard_holds_for_every_arm(tmp_path, out):
    long = "States that the Alder mill was built in the year 1861, by hand."
    row = {"id": "t0", "question": "Question number 0?", "rubric": [long], "exclude": {"domains": ["leak.example"]}}
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(row), "utf-8")
    evaluate("run", str(file), "--arm", "solo:openrouter:v/a", "--no-grade", "--out", str(out), *APART)
    (row,) = Results(out).paid
    assert row.panel is not None  # the panel's key holds the guard, so that no unguarded panel is taken for it


BAD = [
    pytest.param("solo", "is none of", id="no model"),
    pytest.param("duo:openrouter:v/a", "is none of", id="unknown kind"),
    pytest.param("solo:gpt-5.5", "names no provider", id="no provider"),
    pytest.param("solo:openrouter:v/a,tools=maybe", "no option 'tools=maybe'", id="wrong option"),
    pytest.param("solo:openrouter:v/a,seats=3", "seats=N is for self", id="seats of one"),
    pytest.param("self:openrouter:v/a,seats=9", "panel", id="too many seats"),
    pytest.param("panel:nosuch", "no preset 'nosuch'", id="unknown preset"),
    pytest.param("panel:nosuch.toml", "cannot read", id="no file"),
    pytest.param("replay:nosuch.jsonl", "cannot be read", id="no recording"),
    pytest.param("nosuch:x=solo:openrouter:v/a", "is none of", id="wrong name"),
    pytest.param("solo:nosuch:v/a", "no provider 'nosuch'", id="unknown provider"),
]


@pytest.mark.parametrize(("arm", "told"), BAD)
def test_a_wrong_arm_is_one_line_before_anything_is_asked(provider, tmp_path, out, arm, told):
    done = evaluate(*smallest(tmp_path, out, arm))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
    assert arm in done.stderr
    assert not provider.requests


def test_a_folder_of_other_tasks_is_refused(tmp_path, out):
    evaluate(*smallest(tmp_path, out, judge=False))
    other = evaluate(*smallest(tmp_path, out, count=3, judge=False))
    assert (other.exit_code, other.stderr.count("\n")) == (2, 1)
    assert "holds results of another task set" in other.stderr


def test_a_name_is_one_configuration(tmp_path, out):
    evaluate(*smallest(tmp_path, out, judge=False))
    other = evaluate(*smallest(tmp_path, out, "solo=solo:openrouter:v/b", judge=False))
    assert other.exit_code == 2
    assert "'solo' is in" in other.stderr


def test_two_processes_do_not_share_a_folder(provider, tmp_path, out):
    out.mkdir()
    held = try_lock(out / "lock")
    refused = evaluate(*smallest(tmp_path, out))
    held.close()
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "another process is at work" in refused.stderr
    assert not provider.requests


def test_a_full_disk_is_told_and_loses_nothing(provider, tmp_path, out, monkeypatch):
    command = smallest(tmp_path, out, count=4, judge=False)
    full = Results.add_answer

    def until_full(self, row: AnswerRow):
        if len(self.paid) == 2:
            self._answers._path = tmp_path / "full"
        full(self, row)

    (tmp_path / "full").symlink_to("/dev/full")
    monkeypatch.setattr(Results, "add_answer", until_full)
    stopped = evaluate(*command, "--concurrency", "1")
    assert stopped.exit_code == 2
    assert "cannot be written: No space left on device" in stopped.stderr
    assert "what was written before is kept" in stopped.stderr
    monkeypatch.undo()
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef0123456789abcdef")
    assert evaluate(*command).exit_code == 0
    assert provider.counts["v/a"] == 4  # the third answer was in the checkpoint


def test_rubrics_want_a_judge(provider, tmp_path, out):
    command = [part for part in smallest(tmp_path, out) if "g/grader" not in part and part != "--judge"]
    refused = evaluate(*command)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--judge" in refused.stderr
    assert not provider.requests


def test_a_routed_arm_goes_where_the_router_sends_it(provider, tmp_path, out):
    rows = [
        {"id": "code", "question": "Fix this Python function, it raises IndexError: def first(xs): return xs[0]"},
        {"id": "vague", "question": "Question number 7?"},
    ]
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join(json.dumps(row | {"reference": "7", "domain": "x"}) for row in rows), "utf-8")
    provider.otherwise(Reply("The answer: 7.", cost=0.001))
    arm = f"routed:{panel_file(tmp_path / 'p.toml')}"
    done = evaluate("run", str(file), "--arm", arm, "--no-grade", "--out", str(out), *APART)
    assert done.exit_code == 0, done.stderr
    assert provider.counts["z-ai/glm-5"] == 1
    assert provider.counts["v/a"] == provider.counts["v/b"] == 1
