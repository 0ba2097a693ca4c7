"""`estimate`: the bill in advance, without key, network or spending."""

import json

import pytest

from tests.unit.cli.support import QUESTION, fusion

PANEL = ("--model", "openrouter:openai/gpt-5.4-mini", "--model", "nobody:nothing", "--no-search", "--bash", "off")


def test_every_stage_is_shown_with_what_it_rests_on():
    shown = fusion("estimate", QUESTION)
    assert shown.exit_code == 0
    for text in ("gemini-3-flash-preview", "judge", "synthesis", "total", "at worst", "Assumed:", "tokens"):
        assert text in shown.output


def test_as_json():
    bill = json.loads(fusion("estimate", QUESTION, "--json", "--max-usd", "0.5", "--versus", "foo:bar").output)
    assert [row["stage"] for row in bill["rows"]] == ["panelist"] * 3 + ["judge", "synthesizer"]
    assert bill["worst"]["usd"] == pytest.approx(0.5)
    assert bill["versus"][0]["expected"]["usd"] is None
    assert bill["refused"] is None


def test_the_bill_of_the_other_kind_stands_beside():
    other = json.loads(fusion("estimate", QUESTION, "--json").output)["counterpart"]
    value = json.loads(fusion("estimate", QUESTION, "--json", "--preset", "value").output)
    assert (other["preset"], other["expected"]) == ("value", value["expected"])
    assert value["counterpart"]["preset"] == "budget"
    assert f"The preset value instead: ${other['expected']['usd']:.4f} expected" in fusion("estimate", QUESTION).output
    assert json.loads(fusion("estimate", QUESTION, *PANEL, "--json").output)["counterpart"] is None
    assert "instead" not in fusion("estimate", QUESTION, *PANEL).output


def test_a_second_reader_has_a_row_of_250_tokens_in_and_10_out_a_citation():
    bill = json.loads(fusion("estimate", QUESTION, "--verify", "--json").output)
    judge, row = bill["rows"][-3], bill["rows"][-1]
    assert (row["stage"], row["model"]) == ("verifier", judge["model"])
    assert 15 * 250 < row["expected"]["input_tokens"] < 15 * 250 + 1500
    assert row["expected"]["output_tokens"] == 15 * 10
    assert row["worst"]["usd"] > row["expected"]["usd"] > 0
    assert "verification" in fusion("estimate", QUESTION, "--verify").output


def test_flags_choose_as_they_do_for_ask():
    flags = ("--judge", "openrouter:openai/gpt-5.5", "--synthesizer", "openrouter:openai/gpt-5.4-mini")
    bill = json.loads(fusion("estimate", QUESTION, *PANEL, *flags, "--json").output)
    assert [row["model"] for row in bill["rows"]] == [PANEL[1], PANEL[3], flags[1], flags[3]]


def test_the_unpriced_are_named_and_never_free():
    shown = fusion("estimate", QUESTION, *PANEL).output
    assert "+ unknown" in shown
    assert "Without a known price: nobody:nothing" in shown


def test_the_price_of_one_model_alone():
    shown = fusion("estimate", QUESTION, "--versus", "openrouter:openai/gpt-5.4-mini").output
    assert "openrouter:openai/gpt-5.4-mini alone: $" in shown
    assert "times that" in shown


def test_a_run_that_would_not_begin_says_so():
    assert "would be refused: limits.usd" in fusion("estimate", QUESTION, "--max-usd", "0.0001").output


@pytest.mark.usefixtures("user_folder")
@pytest.mark.parametrize(
    ("key", "chosen", "provider", "remark"),
    [
        pytest.param(None, (), "openrouter", "OPENROUTER_API_KEY", id="no key"),
        pytest.param("OPENROUTER_API_KEY", (), "openrouter", "", id="OpenRouter's key"),
        pytest.param("OPENAI_API_KEY", (), "openai", "in place of", id="a vendor's key alone"),
        pytest.param("OPENAI_API_KEY", ("--model", "openai:gpt-5.5"), "openai", "", id="a model of that vendor"),
    ],
)
def test_plan_and_bill_are_those_of_the_run_that_the_keys_allow(monkeypatch, key, chosen, provider, remark):
    if key:
        monkeypatch.setenv(key, "k")
    bill = json.loads(fusion("estimate", QUESTION, *chosen, "--json").output)
    plan = json.loads(fusion("route", QUESTION, *chosen, "--json").output)
    shown = fusion("route", QUESTION, *chosen).output.partition("Considered")[0]
    named = [row["model"] for row in bill["rows"]] + [seat["model"] for seat in plan["panel"]]
    assert {name.partition(":")[0] for name in named} == {provider}
    assert provider == "openrouter" or "openrouter:" not in shown, shown
    assert remark in plan["reason"]
    assert remark in "; ".join(bill["assumptions"])
    assert ("_API_KEY" in plan["reason"]) == bool(remark) == any("_API_KEY" in text for text in bill["assumptions"])


def test_what_a_server_on_this_machine_runs_costs_nothing_in_the_plan_either(monkeypatch, user_folder):
    monkeypatch.setattr("fusion_tool.budget.pricing.is_loopback", lambda host: host == "127.0.0.1")
    own = '[presets.mine]\npanel = [{model = "m", base_url = "http://127.0.0.1:8080/v1"}]\n'
    (user_folder / "fusion.toml").write_text(own, "utf-8")
    assert json.loads(fusion("route", "x", "--preset", "mine", "--json").output)["usd"] == 0


def test_a_misspelt_model_is_named_with_the_nearest():
    chosen = ("--model", "openrouter:openai/gtp-5.5", "--judge", "openrouter:openai/gpt-5.5")
    hint = "the price list does not know openrouter:openai/gtp-5.5 (did you mean 'openrouter:openai/gpt-5.5'?)"
    assert json.loads(fusion("estimate", QUESTION, *chosen, "--json").output)["assumptions"].count(hint) == 1
    assert hint in json.loads(fusion("route", "x", *chosen[:2], "--json").output)["reason"]


def test_a_wrong_flag_is_named():
    failed = fusion("estimate", QUESTION, "--max-usd", "-1")
    assert failed.exit_code == 2
    assert "--max-usd" in failed.output


def test_the_question_may_be_piped():
    piped = fusion("estimate", "-", "--json", stdin="word " * 4000)
    given = fusion("estimate", "-", "--json", stdin="word")
    assert json.loads(piped.output)["expected"]["input_tokens"] > json.loads(given.output)["expected"]["input_tokens"]


LOOP = '["z-ai/glm-5"]\nsuccessor = "openai/gpt-5.5"\n["openai/gpt-5.5"]\nsuccessor = "z-ai/glm-5"\n'
RETIRED = '["z-ai/glm-5"]\nretires_on = 2026-01-01\nsuccessor = "openai/gpt-5.5"\n'
MINE = '[presets.mine]\npanel = ["openrouter:nobody/nothing", "openrouter:z-ai/glm-5"]\n'
GLM = ("--model", "openrouter:z-ai/glm-5")
TWO = (*GLM, "--model", "openrouter:openai/gpt-5.5")


@pytest.fixture
def own_files(user_folder, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    (user_folder / "fusion.toml").write_text(MINE, "utf-8")
    return user_folder


@pytest.mark.parametrize(
    ("profiles", "command", "status", "words"),
    [
        pytest.param(LOOP, ("route", QUESTION, *TWO), 2, "leads in a circle: z-ai/glm-5 ->", id="a loop, route"),
        pytest.param(LOOP, ("ask", QUESTION, *TWO), 2, "leads in a circle: z-ai/glm-5 ->", id="a loop, ask"),
        pytest.param(LOOP, ("estimate", QUESTION, *TWO), 2, "leads in a circle", id="a loop, estimate"),
        pytest.param(
            "", ("estimate", QUESTION, "--preset", "mine"), 0, "known price: openrouter:nobody/nothing", id="unpriced"
        ),
        pytest.param(
            "", ("ask", QUESTION, "--preset", "mine", "--max-usd", "1"), 2, "has no known price", id="unpriced, a limit"
        ),
        pytest.param("", ("model", "check", "--preset", "mine"), 5, "the price list does not know it", id="unlisted"),
        pytest.param(
            RETIRED,
            ("ask", QUESTION, *GLM),
            2,
            "leaves no model on the panel: retired on 2026-01-01, openai/gpt-5.5 follows it: z-ai/glm-5",
            id="every seat is retired",
        ),
        pytest.param(RETIRED, ("route", QUESTION, *TWO, "--quality", "1.0"), 0, "retired on 2026-01-01", id="one seat"),
        pytest.param("", ("route", QUESTION, "--quality", "1.0"), 0, "expected", id="the best there is"),
        pytest.param("", ("route", QUESTION, "--quality", "1.01"), 2, "quality: must be at most 1", id="more than all"),
    ],
)
def test_bad_input_is_one_line_and_nothing_else_is_lost(own_files, profiles, command, status, words):
    (own_files / "profiles.toml").write_text(profiles, "utf-8")
    done = fusion(*command)
    assert done.exit_code == status, done.output
    assert words in " ".join(done.output.split())
    if status == 2:
        assert len(done.stderr.splitlines()) == 1
