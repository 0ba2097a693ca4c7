"""The image that `langgraph build` makes: the package once, what installing it needs, and nothing that is secret."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("langgraph_cli") is None, reason="the langgraph command comes with fusion-tool[studio]"
    ),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # the command's own use of pathspec
]

ROOT = Path(__file__).parents[2]


def in_context(folder, *files):
    """Which files reach the image, by the reader of `.dockerignore` that the command itself uses."""
    from langgraph_cli._ignore import _build_ignore_spec

    spec = _build_ignore_spec(folder, include_gitignore=False)
    return [file for file in files if not spec.match_file(file)]


def test_the_package_is_added_and_installed_once(tmp_path):
    written = tmp_path / "Dockerfile"
    command = [sys.executable, "-m", "langgraph_cli", "dockerfile", "--config", str(ROOT / "langgraph.json")]
    subprocess.run([*command, str(written)], check=True, capture_output=True, env={"LANGGRAPH_CLI_NO_ANALYTICS": "1"})
    steps = written.read_text().splitlines()
    assert [step for step in steps if step.startswith(("ADD", "COPY"))] == [f"ADD . /deps/{ROOT.name}"]
    assert "outer-src" not in written.read_text()


def test_nothing_of_the_operators_secrets_nor_of_the_workshop_gets_in():
    kept = in_context(
        ROOT, ".env", ".git/config", ".venv/x", "tests/a.py", "docs/src/x.md", "node_modules/a/src/b.js", "key.pem",
        "src/fusion_tool/__pycache__/x.pyc", ".langgraph_api/store.pckl", "fusion.toml", "graphs/access.py",
    )  # fmt: skip
    assert kept == ["fusion.toml", "graphs/access.py"]


def test_what_gets_in_can_be_built(tmp_path):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    files = in_context(ROOT, *tracked.splitlines())
    if not files:
        pytest.skip("no git checkout")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    assert list((tmp_path / "dist").glob("fusion_tool-*.whl"))
