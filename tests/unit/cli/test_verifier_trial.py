"""`doctor --verifier`: thirty pairs, read by a scripted model, and whether its eye is better than the audit's."""

import json
import re
import tomllib
from importlib.resources import files

import pytest

from tests.scripted_server import Reply, Request, ScriptedServer, faults
from tests.unit.cli.support import fusion

PAIRS = tomllib.loads((files("fusion_tool.cli") / "verifier_pairs.toml").read_text("utf-8"))
LABELS = {row["sentence"]: label for label, rows in PAIRS.items() for row in rows}
READER = "openrouter:v/reader"


def _answer(request: Request, choose) -> Reply:
    shown = re.findall(r"begin id (\d+)\nSentence: (.+)\nPassages: (.+)", request.prompt)
    rows = [{"id": int(number), "verdict": choose(said), "quote": passages} for number, said, passages in shown]
    for row in rows:
        row["quote"] = "" if row["verdict"] == "says nothing" else row["quote"]
    return Reply(json.dumps({"verdicts": rows}), cost=0.001)


def test_there_are_ten_pairs_of_each_verdict_and_no_sentence_twice() -> None:
    assert {label: len(rows) for label, rows in PAIRS.items()} == {
        "supports": 10,
        "contradicts": 10,
        "says nothing": 10,
    }
    assert len(LABELS) == 30


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("choose", "accuracy", "verdict"),
    [
        (lambda said: LABELS[said], 1.0, "it reads better than the audit"),
        (lambda _: "supports", 0.5, None),
        (
            lambda said: "says nothing" if LABELS[said] == "supports" else "supports",
            0.0,
            "it reads worse than the audit",
        ),
    ],
    ids=["always right", "always yes", "always wrong"],
)
def test_it_says_whether_the_models_eye_is_better(openrouter: ScriptedServer, choose, accuracy, verdict) -> None:
    openrouter.reply("v/reader", lambda request: _answer(request, choose))
    outcome = json.loads(fusion("doctor", "--verifier", READER, "--json").stdout)
    assert (outcome["pairs"], outcome["unread"]) == (30, 0)
    assert outcome["balanced_accuracy"]["model"] == accuracy
    assert 0.3 < outcome["balanced_accuracy"]["audit"] < 0.9
    assert verdict in (None, outcome["verdict"])
    assert outcome["cost_usd"] == pytest.approx(0.003)
    told = fusion("doctor", "--verifier", READER).stdout
    assert f"{accuracy:.2f}" in told
    assert outcome["verdict"] in " ".join(told.split())


@pytest.mark.loopback
def test_a_pair_without_a_usable_verdict_counts_as_wrong(openrouter: ScriptedServer) -> None:
    def misquote(request: Request) -> Reply:
        rows = json.loads(_answer(request, lambda said: LABELS[said]).text)["verdicts"]
        for row in rows:
            row["quote"] = "words that stand nowhere" if row["verdict"] == "contradicts" else row["quote"]
        return Reply(json.dumps({"verdicts": rows}))

    openrouter.reply("v/reader", misquote)
    outcome = json.loads(fusion("doctor", "--verifier", READER, "--json").stdout)
    assert outcome["unread"] == 10
    assert outcome["balanced_accuracy"]["model"] == 0.75
    assert "counted as wrong: 10" in fusion("doctor", "--verifier", READER).stdout


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("reply", "reason"), [(faults.unauthorized(), "No auth"), ("They all look fine.", "no JSON object with verdicts")]
)
def test_a_reader_that_cannot_be_asked_is_an_error_with_its_reason(openrouter, reply, reason) -> None:
    openrouter.reply("v/reader", reply)
    outcome = fusion("doctor", "--verifier", READER)
    assert outcome.exit_code == 2
    assert reason in outcome.stderr


def test_a_reader_without_a_key_is_named() -> None:
    outcome = fusion("doctor", "--verifier", READER)
    assert outcome.exit_code == 2
    assert "OPENROUTER_API_KEY" in outcome.stderr
