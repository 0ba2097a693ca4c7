"""`ask -o`: the file beside the answer, by its suffix, and nothing paid for where it could not be written."""

import json
import sys
from pathlib import Path

import pytest

from fusion_tool.api.run_store import default_path
from tests.scripted_server import ScriptedServer
from tests.unit.cli.support import PANEL, QUESTION, SENTENCE, STAGES, ask, fusion, titan
from tests.unit.report.samples import LexborHTMLParser, texts

pytestmark = pytest.mark.loopback


@pytest.mark.usefixtures("openrouter")
@pytest.mark.parametrize("shape", [(), ("--json",), ("--events",), ("--quiet",)])
def test_the_page_stands_beside_the_answer(tmp_path: Path, shape: tuple[str, ...]) -> None:
    path = tmp_path / "run.html"
    done = ask(QUESTION, *PANEL, *STAGES, "--docs", str(titan(tmp_path / "docs")), "-o", str(path), *shape)
    assert done.exit_code == 0, done.stderr
    page = LexborHTMLParser(path.read_text("utf-8"))
    assert SENTENCE in page.css_first("#answer ~ article").text()
    assert len(page.css(".wide .mark.tool")) >= 3  # each seat's search, and the first word
    assert (f"Written: {path}" in done.stderr) is (shape != ("--quiet",))


@pytest.mark.usefixtures("openrouter")
def test_each_file_that_is_named_is_written(tmp_path: Path) -> None:
    first, second = tmp_path / "run.md", tmp_path / "run.json"
    done = ask(QUESTION, *PANEL, *STAGES, "-o", str(first), "-o", str(second))
    assert f"Written: {first}\nWritten: {second}\n" in done.stderr
    assert json.loads(second.read_text("utf-8"))["answer"] in first.read_text("utf-8")


@pytest.mark.usefixtures("openrouter")
def test_a_resumed_run_has_a_page_too(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    run_id = json.loads(ask(QUESTION, *PANEL, *STAGES, "--json").stdout)["run_id"]
    assert fusion("ask", "--resume", run_id, "-o", str(path)).exit_code == 0
    page = LexborHTMLParser(path.read_text("utf-8"))
    assert run_id in page.css_first("footer").text()
    assert "Put together from durations" in page.body.text()


def test_a_failed_run_leaves_its_reasons(openrouter: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    done = ask(QUESTION, "--model", "openrouter:v/bad", *STAGES, "-o", str(path))
    assert done.exit_code == 3
    page = LexborHTMLParser(path.read_text("utf-8"))
    assert "the key was not accepted" in texts(page, ".failures li")[0]
    assert page.css_first("h1").text() == QUESTION
    assert openrouter.counts == {"v/bad": 1}


@pytest.mark.parametrize("path", ["missing/run.html", "folder.md", "run", "run.txt", "run.pdf"])
def test_a_file_that_cannot_be_written_costs_nothing(openrouter: ScriptedServer, elsewhere: Path, path: str) -> None:
    (elsewhere / "folder.md").mkdir()
    done = ask(QUESTION, *PANEL, *STAGES, "-o", str(elsewhere / path))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --output: ")
    assert done.stderr.count("\n") == 1
    assert openrouter.counts == {}
    assert not default_path().exists()


def test_without_the_extra_nothing_is_paid_for(
    openrouter: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusion_tool.config.installation.find_spec", lambda _: None)
    done = ask(QUESTION, *PANEL, *STAGES, "-o", str(tmp_path / "run.html"))
    assert (done.exit_code, openrouter.counts) == (2, {})
    assert "pip install 'fusion-tool[report]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_question_leaves_no_file(openrouter: ScriptedServer, tmp_path: Path) -> None:
    done = ask("", *PANEL, *STAGES, "-o", str(tmp_path / "run.html"))
    assert (done.exit_code, openrouter.counts) == (2, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("openrouter")
def test_a_page_that_fails_does_not_take_the_answer_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fusion_tool.report.run.to_html", fail)
    done = ask(QUESTION, *PANEL, *STAGES, "-o", str(tmp_path / "run.html"))
    assert done.exit_code == 1
    assert SENTENCE in done.stdout
    (kept,) = json.loads(fusion("runs", "--json").stdout)["runs"]
    told = (
        f"error: --output: {tmp_path / 'run.html'}: No space left on device; 'fusion-tool runs show {kept['id'][:8]} -o"
    )
    assert told in done.stderr
    unkept = ask(QUESTION, *PANEL, *STAGES, "--no-keep", "-o", str(tmp_path / "run.html"))
    assert "No space left on device\n" in unkept.stderr


@pytest.mark.usefixtures("openrouter")
def test_a_result_from_the_cache_is_billed_nothing(tmp_path: Path) -> None:
    ask(QUESTION, *PANEL, *STAGES, "--cache")
    again = ask(QUESTION, *PANEL, *STAGES, "--cache", "-o", str(tmp_path / "run.html"))
    assert "from the cache: $0.0000" in again.stderr
    assert "from the cache: the same was asked at" in again.stderr
    assert "Bill" not in again.stderr
    assert "From the cache: $0.0000." in (tmp_path / "run.html").read_text("utf-8")


@pytest.mark.usefixtures("openrouter")
@pytest.mark.parametrize("name", ["run.md", "run.json", "RUN.HTML"])
def test_the_suffix_says_what_the_file_holds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("an older answer", "utf-8")
    path.chmod(0o640)
    done = ask(QUESTION, *PANEL, *STAGES, "--docs", str(titan(tmp_path / "docs")), "--json", "-o", str(path))
    text, result = path.read_text("utf-8"), json.loads(done.stdout)
    match path.suffix:
        case ".md":
            assert text.startswith(f"{SENTENCE} [1].\n\n**Sources**\n\n1. ")
        case ".json":
            assert json.loads(text) == result
        case _:
            assert text.startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["docs", name])


def test_an_older_answer_outlives_a_run_that_fails(openrouter: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "run.md"
    path.write_text("an older answer", "utf-8")
    assert ask(QUESTION, "--model", "openrouter:v/bad", *STAGES, "-o", str(path)).exit_code == 3
    assert path.read_text("utf-8") == "an older answer"
    assert openrouter.counts == {"v/bad": 1}


@pytest.mark.usefixtures("openrouter")
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_one_and_a_device_is_refused(tmp_path: Path) -> None:
    target, link = tmp_path / "target.md", tmp_path / "link.md"
    link.symlink_to(target)
    assert ask(QUESTION, *PANEL, *STAGES, "-o", str(link)).exit_code == 0
    assert link.is_symlink()
    assert SENTENCE in target.read_text("utf-8")
    device = tmp_path / "null.md"
    device.symlink_to("/dev/null")
    assert "/dev/null is no file" in ask(QUESTION, *PANEL, *STAGES, "-o", str(device)).stderr
