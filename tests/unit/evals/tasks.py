"""The words these tests are written in: criteria, a task, files of rows."""

import json

from fusion_tool.evals.tasks import Criterion, Task

RUBRIC = (
    Criterion(id="year", requirement="States that the mill was built in 1861.", weight=10, axis="facts"),
    Criterion(id="owner", requirement="Names the owner, Ada Alder, by her full name.", weight=5, axis="facts"),
    Criterion(id="clear", requirement="Leads with the answer.", weight=5, axis="style"),
    Criterion(id="myth", requirement="Repeats the myth that the mill was haunted.", weight=-20, axis="facts"),
)


def task(name="mill", *, rubric=RUBRIC, **fields):
    return Task(id=name, question="When was the Alder mill built?", rubric=rubric, **fields)


def row(**fields):
    return {"id": "a", "question": "Q?", "reference": "18"} | fields


def draco_row(**fields):
    sections = [
        {"id": "facts", "title": "Facts", "criteria": [{"id": "c1", "requirement": "States 1861.", "weight": 20}]},
        {"id": "style", "title": "Style", "criteria": [{"id": "c2", "requirement": "Rambles.", "weight": -500}]},
    ]
    answer = json.dumps({"id": "rubric", "sections": sections})
    return {"id": "d1", "domain": "Law", "problem": "When?", "answer": answer} | fields


def write(path, *rows):
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows), "utf-8")
    return path
