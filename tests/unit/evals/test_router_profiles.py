"""What an evaluation tells the router."""

import tomllib
from datetime import date

import pytest

from fusion_tool.evals.router_profiles import mark_stale, measure_scores, write_profiles
from fusion_tool.evals.rows import AnswerRow
from fusion_tool.routing.profiles import MEASURED_FILE, load_profiles
from tests.unit.evals.folders import answer, folder, references, solo

MODEL = "openrouter:openai/gpt-5.4"


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.fixture
def results(tmp_path):
    made = folder(tmp_path / "results", references(12, domain="Mathematics"), solo(model=MODEL))
    for n in range(12):
        answer(made, "solo", f"t{n}", str(n if n < 9 else n + 1))
    return made


def test_the_router_reads_what_was_measured_and_prefers_it(results, own):
    write_profiles(results, measure_scores(results, folder=own), folder=own)
    score, *_ = load_profiles(own)["openai/gpt-5.4"].scores["mathematics"]
    assert (score.score, score.measured) == (75.0, True)
    assert score.benchmark.startswith("set ")
    assert "n = 12, 95 % interval " in score.source


def test_other_models_and_domains_stay(results, own):
    before = '["openai/gpt-5.5".scores]\ncoding = { score = 1, benchmark = "b", source = "s", date = 2026-01-02 }\n'
    (own / MEASURED_FILE).write_text(before, "utf-8")
    write_profiles(results, measure_scores(results, folder=own), folder=own)
    write_profiles(results, measure_scores(results, folder=own), folder=own)
    tables = tomllib.loads((own / MEASURED_FILE).read_text("utf-8"))
    assert tables["openai/gpt-5.5"] == tomllib.loads(before)["openai/gpt-5.5"]
    assert list(tables) == ["openai/gpt-5.5", "openai/gpt-5.4"]


def test_a_refusal_counts_as_nothing(results, own):
    results.add_answer(AnswerRow.of_failure("solo", "t0", "refused", "no"))
    (found,) = measure_scores(results, folder=own)
    assert found.mean.value == pytest.approx(8 / 12)


def test_a_domain_of_ones_own_is_the_routers_for_the_question(tmp_path, own):
    made = folder(tmp_path / "r", references(2, domain="Acme Corp. payroll"), solo(model=MODEL))
    answer(made, "solo", "t0", "0")
    (found,) = measure_scores(made, min_tasks=1, folder=own)
    assert found.domain == "mathematics"


def test_too_few_tasks_or_no_profile_steer_nobody(tmp_path, results, own):
    assert [one.rejection for one in measure_scores(results, min_tasks=13, folder=own)] == [
        "only 12 tasks, fewer than 13"
    ]
    made = folder(tmp_path / "r", references(2), solo())
    answer(made, "solo", "t0", "0")
    (found,) = measure_scores(made, min_tasks=1, folder=own)
    assert "no profile" in found.rejection


def test_what_was_measured_of_a_model_that_changed_is_marked_once(results, own):
    write_profiles(results, measure_scores(results, folder=own), folder=own)
    first, later = date(2026, 11, 1), date(2026, 11, 2)
    assert mark_stale([MODEL, "openrouter:openai/gpt-5.5"], first, own) == ["openai/gpt-5.4"]
    assert mark_stale([MODEL], later, own) == []
    score, *_ = load_profiles(own)["openai/gpt-5.4"].scores["mathematics"]
    assert score.stale_since == first


def test_a_cast_is_stale_with_either_of_its_models(own):
    row = '{ judge = "openai/gpt-5.4", score = 1, benchmark = "b", source = "s", date = 2026-01-02 }'
    (own / MEASURED_FILE).write_text(f'["openai/gpt-5.5"]\nwrites = [{row}]\n', "utf-8")
    assert mark_stale([MODEL], date(2026, 11, 1), own) == ["openai/gpt-5.4"]
    assert load_profiles(own)["openai/gpt-5.5"].writes[0].stale_since == date(2026, 11, 1)


def test_without_measurements_no_file_is_made(own):
    assert mark_stale([MODEL], date(2026, 11, 1), own) == []
    assert not list(own.iterdir())
