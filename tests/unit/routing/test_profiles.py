"""The profiles' files: what a user adds over what is shipped, and how a wrong file is told."""

from datetime import date

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.routing.profiles import MEASURED_FILE, OWN_FILE, last_successor, load_profiles, profile_of

GLM, OPUS = "z-ai/glm-5", "anthropic/claude-opus-4.6"
NEW = """
["deepseek/deepseek-v3.2"]
vendor = "deepseek"
family = "deepseek"
origin = "CN"
"""


@pytest.fixture
def shipped(tmp_path):
    return load_profiles(tmp_path)


def write(folder, text, name=OWN_FILE):
    (folder / name).write_text(text, "utf-8")
    return load_profiles(folder)


@pytest.mark.parametrize(
    ("model", "scores"),
    [
        (OPUS, {"coding": 80.8, "science": 91.3, "reasoning": 75.2, "computer_use": 72.7}),
        ("openai/gpt-5.4", {"coding": 78.0, "science": 92.8, "reasoning": 73.3, "computer_use": 75.0}),
        (GLM, {"coding": 77.8, "science": 86.0}),
        ("google/gemini-3.1-pro-preview", {"coding": 76.0, "science": 94.3, "reasoning": 77.1, "computer_use": 71.0}),
    ],
)
def test_the_published_scores(shipped, model, scores):
    assert {domain: row[0].score for domain, row in shipped[model].scores.items()} == scores
    assert all(row[0].source and row[0].date for row in shipped[model].scores.values())


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("openrouter:z-ai/glm-5", GLM),
        ("z-ai/glm-5", GLM),
        ("openrouter:openai/gpt-oss-120b:free", "openai/gpt-oss-120b"),
        ("openrouter:~openai/gpt-latest", "~openai/gpt-latest"),
        ("anthropic:claude-opus-4-6", OPUS),
        ("anthropic:claude-opus-4-6-20260205", OPUS),
        ("local:smollm2-135m", "local:smollm2-135m"),
        ("openrouter:nobody/nothing", None),
        ("ollama:qwen3:8b", None),
    ],
)
def test_a_model_is_known_by_all_its_names(shipped, model, known):
    found = profile_of(model, shipped)
    assert (found and found.id) == known


def test_a_model_is_added_by_one_table(tmp_path):
    assert write(tmp_path, NEW)["deepseek/deepseek-v3.2"].origin == "CN"


def test_one_key_of_a_known_model_is_corrected(tmp_path, shipped):
    changed = write(tmp_path, f'["{GLM}"]\nretires_on = 2026-12-31\n')[GLM]
    assert changed == shipped[GLM].model_copy(update={"retires_on": date(2026, 12, 31)})
    assert not changed.is_retired(date(2026, 12, 30))
    assert changed.is_retired(date(2026, 12, 31))


def test_what_was_measured_wins_and_the_published_stays(tmp_path):
    row = '{ score = 60, benchmark = "own", source = "here", date = 2026-11-01 }'
    write(tmp_path, f'["{GLM}".scores]\ncoding = {row}\n', MEASURED_FILE)
    first, second = load_profiles(tmp_path)[GLM].scores["coding"]
    assert (first.score, first.measured) == (60, True)
    assert (second.score, second.measured) == (77.8, False)


def test_a_domain_may_have_a_row_a_benchmark(tmp_path):
    rows = ", ".join(f'{{ score = {n}, benchmark = "b{n}", source = "s", date = 2026-11-01 }}' for n in (10, 20))
    scores = write(tmp_path, f'["{GLM}".scores]\ncoding = [{rows}]\n')[GLM].scores["coding"]
    assert [(score.benchmark, score.score) for score in scores] == [
        ("b10", 10),
        ("b20", 20),
        ("SWE-bench Verified", 77.8),
    ]


def test_a_successor_may_stand_below_and_be_followed_itself(tmp_path):
    text = NEW + f'successor = "{GLM}"\n["{GLM}"]\nsuccessor = "{OPUS}"\n'
    profiles = write(tmp_path, text)
    assert last_successor(profiles["deepseek/deepseek-v3.2"], profiles).id == OPUS
    assert last_successor(profiles[OPUS], profiles) is profiles[OPUS]


def test_a_changed_file_is_read_again(tmp_path):
    assert load_profiles(tmp_path) is load_profiles(tmp_path)
    assert "deepseek/deepseek-v3.2" not in load_profiles(tmp_path)
    assert "deepseek/deepseek-v3.2" in write(tmp_path, NEW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NEW + 'colour = "blue"', r'\["deepseek/deepseek-v3.2"\].colour: no such setting'),
        (NEW.replace('"CN"', '"China"'), r'\["deepseek/deepseek-v3.2"\].origin'),
        (NEW.replace("vendor", "maker"), r'\["deepseek/deepseek-v3.2"\].(vendor|maker)'),
        (NEW.replace("deepseek-v3.2", "deepseek-v99"), "has no known price as openrouter:deepseek/deepseek-v99"),
        (NEW + "scores = 3", r"\.scores: expected a table"),
        (NEW + "scores = { coding = 80 }", r"\.scores\.coding: expected"),
        (
            NEW + 'scores = { coding = { score = 180, benchmark = "b", source = "s", date = 2026-01-01 } }',
            "coding.score",
        ),
        (NEW + 'scores = { juggling = { score = 80, benchmark = "b", source = "s", date = 2026-01-01 } }', "juggling"),
        (NEW + 'scores = { coding = { score = 80, benchmark = "b", source = "s" } }', r"scores\.coding\.date"),
        (NEW + 'successor = "nobody/nothing"', r'deepseek-v3.2"\].successor: there is no profile of nobody/nothing'),
        (NEW + 'successor = "deepseek/deepseek-v3.2"', r"leads in a circle: deepseek/deepseek-v3.2 -> deepseek/"),
        (
            f'["{GLM}"]\nsuccessor = "{OPUS}"\n["{OPUS}"]\nsuccessor = "{GLM}"',
            rf"\.successor: leads in a circle: {GLM} ->",
        ),
        ('name = "x"', r'\["name"\]: expected a table a model'),
        ('["a/b', "is not valid TOML"),
        (NEW + 'id = "x/y"', "the table's name is the id"),
    ],
)
def test_a_wrong_file_names_itself_the_model_and_the_key(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        write(tmp_path, text)
    assert OWN_FILE in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / OWN_FILE).mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        load_profiles(tmp_path)
