"""Rows that are whole or not there."""

import os

import pytest
from pydantic import BaseModel

from fusion_tool.errors import FusionError
from fusion_tool.evals.storage import Journal


class Row(BaseModel):
    text: str


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.jsonl"


def test_rows_come_back_in_order_whatever_they_hold(path):
    texts = ["plain", "two\nlines\u2028and more", "half \ud83d of a character", ""]
    for text in texts[:2] + texts[3:]:
        Journal(path).append(Row(text=text))
    assert [Row.model_validate_json(line).text for line in Journal(path).lines()] == texts[:2] + texts[3:]


def test_a_file_that_is_not_there_has_no_rows(path):
    assert list(Journal(path).lines()) == []
    Journal(path).mend()
    assert not path.exists()


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_half_written_row_is_none_and_the_next_one_begins_a_line(path, cut):
    journal = Journal(path)
    journal.append(Row(text="first"))
    journal.append(Row(text="second"))
    os.truncate(path, path.stat().st_size - cut)
    assert len(list(journal.lines())) == 1
    journal.mend()
    journal.append(Row(text="third"))
    assert [Row.model_validate_json(line).text for line in journal.lines()] == ["first", "third"]


def test_a_disk_that_fills_up_in_the_middle_of_a_row_leaves_the_rows_before(path, monkeypatch):
    journal, write = Journal(path), os.write
    journal.append(Row(text="first"))

    def fills_up(file, data):
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(file, bytes(data)[:20])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(FusionError, match="No space left on device; what was written before is kept"):
        journal.append(Row(text="a row of more than twenty bytes"))
    monkeypatch.undo()
    assert path.read_text("utf-8") == '{"text":"first"}\n'


def test_a_folder_in_its_place_is_told(tmp_path):
    with pytest.raises(FusionError, match="cannot be written"):
        Journal(tmp_path).append(Row(text=""))
    with pytest.raises(FusionError, match="cannot be read"):
        list(Journal(tmp_path).lines())
