"""`fusion-tool presets`, with those of the user."""

from pathlib import Path

from fusion_tool.cli.commands.options import complete_preset
from tests.unit.cli.support import fusion


def test_presets_of_ones_own_are_listed_with_what_they_need_and_completed(user_folder: Path) -> None:
    own = '[presets.mine]\npanel = ["openai:gpt-5.5"]\nabout = "one of mine"\n[presets.bad]\nextends = "x"\n'
    (user_folder / "fusion.toml").write_text(own, "utf-8")
    rows = fusion("presets").stdout
    assert "one of mine" in rows
    assert "OPENAI_API_KEY" in rows
    assert "cannot be used" in rows
    assert {"mine", "budget"} <= {*complete_preset()}
    (user_folder / "fusion.toml").write_text("[", "utf-8")
    assert "budget" in complete_preset()
    broken = fusion("presets")
    assert (broken.exit_code, "not valid TOML" in broken.stderr) == (2, True)
