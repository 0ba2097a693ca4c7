"""Task sets from files: both shapes, and what is wrong with a file named down to the line and the field."""

import json

import pytest

from fusion_tool.errors import ConfigError
from fusion_tool.evals.reading import read_tasks
from tests.unit.evals.tasks import draco_row, row, write


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
    tasks = read_tasks(path)
    assert tasks.name == "own"
    assert [one.id for one in tasks.tasks] == ["a", "b", "c", "d"]
    first, second, third, last = tasks.tasks
    assert (first.rubric[0].weight, first.rubric[0].axis, first.domain) == (3, "facts", "history")
    assert first.exclude.domains == ("mill.example",)
    assert (second.reference, third.reference) == (("18",), ("two", "2"))
    assert [(one.id, one.weight) for one in last.rubric] == [("1", 1.0), ("2", 1.0)]
    assert tasks.exclude.domains == ()


def test_dracos_own_rows_bring_their_exclusions(tmp_path):
    tasks = read_tasks(write(tmp_path / "test.jsonl", draco_row()))
    (one,) = tasks.tasks
    assert (one.question, one.domain) == ("When?", "Law")
    assert [(c.id, c.weight, c.axis) for c in one.rubric] == [("c1", 20, "facts"), ("c2", -500, "style")]
    assert "huggingface.co" in tasks.exclude.domains
    assert "perplexity-ai/draco" in tasks.exclude.fragments


def test_a_rubric_may_be_an_object_too(tmp_path):
    rubric = json.loads(draco_row()["answer"])
    (one,) = read_tasks(write(tmp_path / "t.jsonl", {"id": "a", "question": "Q", "rubric": rubric})).tasks
    assert [c.id for c in one.rubric] == ["c1", "c2"]


def test_a_byte_order_mark_and_line_separators_inside_texts_are_no_matter(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("\ufeff" + json.dumps(row(question="one\u2028two"), ensure_ascii=False) + "\r\n", "utf-8")
    assert read_tasks(path).tasks[0].question == "one\u2028two"


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
        ({"id": "a", "question": "", "reference": "1"}, "question", "at least 1 character"),
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
        (with_rubric(7), "rubric.0", "Criterion"),
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
        read_tasks(path)
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
        read_tasks(path)
