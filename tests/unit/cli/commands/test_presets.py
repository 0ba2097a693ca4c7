"""`fusion-tool presets`, with those of the user."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusion_tool.cli.main import app
from tests.unit.cli.support import fusion


def completed(words: str) -> list[str]:
    asked = {"_FUSION_TOOL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
    return CliRunner().invoke(app, [], env=asked, prog_name="fusion-tool").stdout.split()


def test_presets_of_ones_own_are_listed_with_what_they_need_and_completed(user_folder: Path) -> None:
    own = '[presets.mine]\npanel = ["openai:gpt-5.5"]\nabout = "one of mine"\n[presets.bad]\nextends = "x"\n'
    (user_folder / "fusion.toml").write_text(own, "utf-8")
    rows = fusion("presets").stdout
    assert "one of mine" in rows
    assert "OPENAI_API_KEY" in rows
    assert "cannot be used" in rows
    assert {"mine", "budget"} <= {*completed("fusion-tool ask --preset ")}
    (user_folder / "fusion.toml").write_text("[", "utf-8")
    assert "budget" in completed("fusion-tool ask --preset ")
    broken = fusion("presets")
    assert (broken.exit_code, "not valid TOML" in broken.stderr) == (2, True)


OWN = """
[presets.mine]
panel = [{model = "qwen3:8b", base_url = "http://127.0.0.1:8080/v1"}, {model = "o/m", base_url = "http://h:1/v1"}]
"""


def test_a_preset_on_ones_own_servers_names_them_and_no_price_list_judges_it(user_folder: Path) -> None:
    (user_folder / "fusion.toml").write_text(OWN, "utf-8")
    rows = " ".join(fusion("presets").stdout.partition("mine")[2].split())
    for words in ("qwen3:8b at 127.0.0.1:8080", "o/m at h:1", "a server at http://127.0.0.1:8080", "http://h:1/v1"):
        assert words in rows
    assert fusion("model", "check", "--preset", "mine").exit_code == 0


@pytest.mark.usefixtures("user_folder")
def test_in_a_pipe_names_are_whole_and_vendors_keys_are_named() -> None:
    rows = fusion("presets").stdout
    assert "google/gemini-3-flash-preview" in rows
    assert "OPENROUTER_API_KEY, or vendors' keys" in " ".join(rows.split())
    assert "openrouter:google/gemini-3-flash-preview" in fusion("estimate", "x").stdout


@pytest.mark.usefixtures("user_folder")
@pytest.mark.parametrize(
    "words",
    [
        "ask --config {} --preset ",
        "route --config {} --preset ",
        "serve --config {} --also ",
        "mcp --config {} --preset ",
    ],
)
def test_a_file_that_is_named_brings_its_own(tmp_path: Path, words: str) -> None:
    file = tmp_path / "other.toml"
    file.write_text('[presets.other]\nextends = "fast"\nabout = "another one"\n', "utf-8")
    assert "another one" in fusion("presets", "--config", str(file)).stdout
    assert "another one" not in fusion("presets").stdout
    assert {"other", "budget"} <= {*completed(f"fusion-tool {words.format(file)}")}
