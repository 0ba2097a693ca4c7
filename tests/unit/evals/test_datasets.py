"""A published task set comes once, in the pinned bytes, or not at all.

Task sets from files: both shapes, and what is wrong with a file named down to the line and the field.
"""

import hashlib
import json

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.evals import datasets
from fusion_tool.evals.datasets import PublishedTaskSet, download, load_tasks, published_task_sets, read_task_file
from fusion_tool.evals.tasks import Exclude
from tests.scripted_server.web import Page, redirect
from tests.unit.evals.tasks import draco_row, row, write

BODY = "\n".join(json.dumps(draco_row(id=name)) for name in ("a", "b")).encode()
PATH = "/datasets/perplexity-ai/draco/resolve/rev/test.jsonl"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _app: tmp_path)
    return tmp_path / "tasks"


@pytest.fixture
def small(monkeypatch):
    """A published set of two tasks."""
    one = PublishedTaskSet(
        name="draco",
        repository="perplexity-ai/draco",
        file="test.jsonl",
        revision="rev",
        sha256=hashlib.sha256(BODY).hexdigest(),
        exclude=Exclude(domains=("rubrics.example",)),
    )
    monkeypatch.setattr(datasets, "published_task_sets", lambda: {"draco": one})
    return one


@pytest.fixture
def hub(web, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{web.root}/")
    return web


def test_draco_is_pinned_by_commit_and_checksum():
    draco = published_task_sets()["draco"]
    assert draco.url.startswith(f"https://huggingface.co/datasets/perplexity-ai/draco/resolve/{draco.revision}/")
    assert (len(draco.revision), len(draco.sha256)) == (40, 64)


@pytest.mark.loopback
@pytest.mark.usefixtures("small")
async def test_it_is_downloaded_once_redirects_followed(hub, cache):
    hub.page(PATH, redirect("/storage"))
    hub.page("/storage", Page(BODY.decode()))
    tasks = await load_tasks("draco")
    assert [one.id for one in tasks.tasks] == ["a", "b"]
    assert (tasks.name, tasks.exclude.domains) == ("draco", ("rubrics.example",))
    await load_tasks("draco")
    assert hub.counts["/storage"] == 1
    assert [file.read_bytes() for file in cache.iterdir()] == [BODY]


@pytest.mark.loopback
async def test_a_damaged_copy_is_replaced(hub, cache, small):
    hub.page(PATH, Page(BODY.decode()))
    cache.mkdir()
    small.path.write_bytes(b"half")
    assert (await download(small)).read_bytes() == BODY


@pytest.mark.loopback
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("page", "says"), [(Page("other"), "its SHA-256 is"), (Page("no", status=404), "the server answered 404")]
)
async def test_what_is_not_the_pinned_file_is_refused_and_not_kept(hub, cache, page, says):
    hub.page(PATH, page)
    with pytest.raises(ConfigError, match=says):
        await load_tasks("draco")
    assert list(cache.iterdir()) == []


@pytest.mark.loopback
@pytest.mark.usefixtures("cache", "small")
async def test_an_endless_file_is_refused(hub, monkeypatch):
    monkeypatch.setattr(datasets, "_MAX_BYTES", 100)
    hub.page(PATH, Page(BODY.decode()))
    with pytest.raises(ConfigError, match="longer than 100 bytes"):
        await load_tasks("draco")


@pytest.mark.loopback
@pytest.mark.usefixtures("cache", "small")
async def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="fetch that file elsewhere and pass its path"):
        await load_tasks("draco")


@pytest.mark.usefixtures("small")
async def test_a_cache_that_cannot_be_written(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        await load_tasks("draco")


@pytest.mark.usefixtures("small")
async def test_a_file_is_read_as_it_is_even_under_a_published_name(tmp_path, monkeypatch):
    write(tmp_path / "draco", row())
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in (await load_tasks("draco")).tasks] == ["a"]


async def test_an_unknown_name_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no file nowhere.*there is draco"):
        await load_tasks("nowhere")


def test_rows_of_the_own_shape(tmp_path):
    rubric = [{"id": "c", "requirement": "States 1861.", "weight": 3, "axis": "facts"}]
    exclude = {"domains": ["mill.example"], "fragments": ["canary-7"]}
    path = write(
        tmp_path / "own.jsonl",
        {"id": "a", "question": "When?", "domain": "history", "rubric": rubric, "exclude": exclude},
        "",
        {"id": "b", "question": "How many?", "reference": 18},
        {"id": "c", "question": "What?", "reference": ["two", 2]},
        {"id": "d", "question": "Why?", "rubric": ["Gives a reason.", "Names a source."]},
    )
    tasks = read_task_file(path)
    assert tasks.name == "own"
    assert [one.id for one in tasks.tasks] == ["a", "b", "c", "d"]
    first, second, third, last = tasks.tasks
    assert (first.rubric[0].weight, first.rubric[0].axis, first.domain) == (3, "facts", "history")
    assert first.exclude.domains == ("mill.example",)
    assert (second.reference, third.reference) == (("18",), ("two", "2"))
    assert [(one.id, one.weight) for one in last.rubric] == [("1", 1.0), ("2", 1.0)]
    assert tasks.exclude.domains == ()


def test_dracos_own_rows_bring_their_exclusions(tmp_path):
    tasks = read_task_file(write(tmp_path / "test.jsonl", draco_row()))
    (one,) = tasks.tasks
    assert (one.question, one.domain) == ("When?", "Law")
    assert [(c.id, c.weight, c.axis) for c in one.rubric] == [("c1", 20, "facts"), ("c2", -500, "style")]
    assert "huggingface.co" in tasks.exclude.domains
    assert "perplexity-ai/draco" in tasks.exclude.fragments


def test_a_rubric_may_be_an_object_too(tmp_path):
    rubric = json.loads(draco_row()["answer"])
    (one,) = read_task_file(write(tmp_path / "t.jsonl", {"id": "a", "question": "Q", "rubric": rubric})).tasks
    assert [c.id for c in one.rubric] == ["c1", "c2"]


def test_a_byte_order_mark_and_line_separators_inside_texts_are_no_matter(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("\ufeff" + json.dumps(row(question="one\u2028two"), ensure_ascii=False) + "\r\n", "utf-8")
    assert read_task_file(path).tasks[0].question == "one\u2028two"


def criterion(**fields):
    return {"id": "c", "requirement": "States it.", "weight": 1} | fields


def with_rubric(*criteria):
    return {"id": "a", "question": "Q?", "rubric": list(criteria)}


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"question": "Q?", "reference": "1"}, "id", "missing"),
        ({"id": "a", "reference": "1"}, "question", "missing"),
        ({"id": "a", "question": "Q?"}, "task", "a rubric with criteria or a reference"),
        ({"id": "a", "question": "", "reference": "1"}, "question", "1 or more characters"),
        (row(rubric=[criterion()]), "task", "not both"),
        (row(refrence="1"), "refrence", "not permitted"),
        (with_rubric(), "rubric", "at least one criterion"),
        (with_rubric(criterion(weight=float("nan"))), "rubric.0.weight", "finite"),
        (with_rubric(criterion(weight=float("inf"))), "rubric.0.weight", "finite"),
        (with_rubric(criterion(weight="heavy")), "rubric.0.weight", "number"),
        (with_rubric(criterion(), {"id": "d", "weight": 1}), "rubric.1.requirement", "missing"),
        (with_rubric(criterion(weight=-1), criterion(id="d", weight=-5)), "rubric", "no criterion has a positive"),
        (with_rubric(criterion(weight=0)), "rubric", "no criterion has a positive"),
        (with_rubric(criterion(), criterion()), "rubric", "two criteria have the id 'c'"),
        (with_rubric(7), "rubric.0", "expected a table"),
        ({"id": "a", "question": "Q?", "rubric": {"parts": []}}, "rubric", "'sections'"),
        (draco_row(answer=json.dumps({"sections": []})), "rubric", "at least one criterion"),
        (draco_row(answer="{not json"), "rubric", "not JSON"),
        ({"id": "a", "problem": "Q?"}, "rubric", "missing"),
        ("{not json", "tasks", "not JSON"),
        ("[1]", "tasks", "expected a JSON object"),
        (row(id="first"), "id", "'first' is the id of line 1 too"),
    ],
)
def test_a_wrong_row_is_named_by_file_line_and_field(tmp_path, wrong, field, says):
    path = write(tmp_path / "tasks.jsonl", row(id="first"), "", wrong)
    with pytest.raises(ConfigError, match="line 3") as caught:
        read_task_file(path)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "says"), [(b"", "no task"), (b"\xff\xfe{", "not UTF-8"), (None, "cannot be read")])
def test_a_file_that_holds_no_tasks(tmp_path, content, says):
    path = tmp_path / "tasks.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        read_task_file(path)
