"""What `--arm` means."""

import json

import pytest

from fusion_tool.config.schema import Limits
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import parse_arms

MODEL = "openrouter:vendor/model"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(f'panel = ["{MODEL}", "ollama:qwen3:8b"]\nbash = "off"\n', "utf-8")
    (tmp_path / "said.jsonl").write_text(json.dumps({"id": "a", "answer": "1"}), "utf-8")
    seats = {"id": "a", "answers": [{"model": "x", "answer": "1"}, {"model": "y", "answer": "2"}]}
    (tmp_path / "panels.jsonl").write_text(json.dumps(seats), "utf-8")


def parsed(spec, **overrides):
    (arm,) = parse_arms([spec], overrides)
    return arm


FORMS = [
    (f"solo:{MODEL}", "solo", "solo", [MODEL]),
    ("solo:openrouter:openrouter/fusion", "solo", "solo", ["openrouter:openrouter/fusion"]),
    ("solo:ollama:qwen3:8b", "solo", "solo", ["ollama:qwen3:8b"]),
    (f"self:{MODEL}", "self", "panel", [MODEL, MODEL]),
    (f"self:{MODEL},seats=3", "self", "panel", [MODEL] * 3),
    ("panel:own.toml", "panel", "panel", [MODEL, "ollama:qwen3:8b"]),
]


@pytest.mark.parametrize(("spec", "kind", "strategy", "models"), FORMS)
def test_each_form_is_a_configuration_named_by_its_text(spec, kind, strategy, models):
    arm = parsed(spec)
    assert (arm.name, arm.kind, arm.config.strategy) == (spec, kind, strategy)
    assert [seat.model for seat in arm.config.panel] == models
    assert arm.config.search


def test_self_fusion_is_judged_and_written_by_the_same_model():
    config = parsed(f"self:{MODEL}").config
    assert config.judge_or_default.model == config.synthesizer_or_default.model == MODEL


def test_a_routed_arm_leaves_the_choice_to_the_router():
    assert parsed("routed:fast").config.strategy == "auto"
    assert parsed("routed:fast").config.panel == parsed("panel:fast").config.panel


def test_each_judge_with_each_writer_is_an_arm_of_its_own():
    arms = parse_arms([f"panel:own.toml,judge={MODEL}|x:j,synthesizer=x:w", f"n=panel:own.toml,judge={MODEL}|x:j"], {})
    assert [(arm.name, arm.config.judge.model) for arm in arms] == [
        (f"panel:own.toml,judge={MODEL},synthesizer=x:w", MODEL),
        ("panel:own.toml,judge=x:j,synthesizer=x:w", "x:j"),
        ("n-1", MODEL),
        ("n-2", "x:j"),
    ]
    assert {arm.config.synthesizer and arm.config.synthesizer.model for arm in arms} == {"x:w", None}


@pytest.mark.usefixtures("shipped_profiles")
def test_an_arm_without_a_judge_stores_whom_it_gets(tmp_path):
    file = tmp_path / "strong.toml"
    file.write_text('panel = ["openrouter:openai/gpt-6.1-sol", "openrouter:anthropic/claude-opus-5.5"]\n', "utf-8")
    arm = parsed(f"panel:{file}")
    assert arm.config.judge.model == "openrouter:moonshotai/kimi-k2.6"
    assert arm.models[-1].model == "openrouter:z-ai/glm-5.2"


def test_a_name_goes_before_the_form():
    assert parsed(f"plain=solo:{MODEL},tools=off").name == "plain"


def test_tools_are_turned_off_for_one_arm():
    arm = parsed(f"solo:{MODEL},tools=off")
    assert (arm.config.search, arm.config.bash) == (None, "off")


def test_judge_and_synthesizer_are_the_arms_own():
    config = parsed(f"panel:fast,judge={MODEL},synthesizer=ollama:qwen3:8b").config
    assert (config.judge.model, config.synthesizer.model) == (MODEL, "ollama:qwen3:8b")


def test_overrides_hold_for_every_arm():
    arms = parse_arms([f"solo:{MODEL}", "panel:own.toml"], {"search": None, "limits": {"seconds": 9}})
    assert [(arm.config.search, arm.config.limits) for arm in arms] == [(None, Limits(seconds=9))] * 2


def test_a_limit_of_its_own_lies_over_what_holds_for_all():
    limits = parsed(f"solo:{MODEL},usd=0.5", limits={"seconds": 9}).config.limits
    assert (limits.usd, limits.seconds) == (0.5, 9)


def test_a_recording_asks_nobody_and_one_of_panels_judge_and_synthesizer_alone():
    assert (parsed("replay:said.jsonl").config, parsed("replay:said.jsonl").models) == (None, ())
    over = parsed(f"replay:panels.jsonl,synthesizer={MODEL}")
    assert [one.model for one in over.models] == [MODEL]
    assert (over.config.search, over.config.documents, over.config.bash) == (None, None, "off")


WRONG = [
    ([], "name at least one"),
    ([f"solo:{MODEL}"] * 2, "two arms have the name"),
    (["solo:"], "is none of"),
    (["model"], "is none of"),
    (["budgt"], "did you mean 'panel:budget'"),
    ([f"solo:{MODEL},tools"], "no option 'tools'"),
    ([f"self:{MODEL},seats=many"], "no option 'seats=many'"),
    ([f"solo:{MODEL},usd=much"], "no option 'usd=much'"),
    ([f"solo:{MODEL},usd=0"], "limits.usd"),
    (["panel:fast,seats=2"], "seats=N is for self"),
    (["panel:gone.toml"], "cannot read gone.toml"),
    (["replay:gone.jsonl"], "gone.jsonl cannot be read"),
    (["replay:panels.jsonl"], "need a synthesizer"),
    ([f"replay:said.jsonl,judge={MODEL}"], "are for recorded panels"),
]


@pytest.mark.parametrize(("specs", "told"), WRONG)
def test_a_wrong_one_is_told_in_one_line(specs, told):
    with pytest.raises(ConfigError, match="arm: ") as error:
        parse_arms(specs)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


ROWS = [
    ("{", "not JSON"),
    ("[]", "line 1"),
    ('{"id": "a"}', "needs 'answer'"),
    ('{"id": "a", "answer": "1", "cost": -1}', "cost: "),
    ('{"id": "a", "answer": "1"}\n{"id": "a", "answer": "2"}', "recorded twice"),
    ("", "holds no recorded answer"),
    ('{"id": "a", "answers": [{"model": "x", "answer": "1"}]}\n{"id": "b", "answer": "2"}', "need a synthesizer"),
]


@pytest.mark.parametrize(("text", "told"), ROWS)
def test_a_wrong_recording_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "bad.jsonl").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        parse_arms(["replay:bad.jsonl"])
    assert told in str(error.value)


def test_presets_of_ones_own_are_arms_and_the_users_file_holds_for_every_arm(user_folder, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    own = 'preset = "fast"\nbash = "off"\nmax_tool_calls = 2\n[presets.mine]\npanel = ["ollama:a", "ollama:b"]\n'
    (user_folder / "fusion.toml").write_text(own, "utf-8")
    arms = [parsed(spec).config for spec in (f"solo:{MODEL}", f"self:{MODEL}", "panel:mine", "routed:")]
    assert {(config.bash, config.max_tool_calls) for config in arms} == {("off", 2)}
    assert [seat.model for seat in arms[2].panel] == ["ollama:a", "ollama:b"]
    assert (arms[0].judge, arms[1].limits.quorum) == (None, None)
