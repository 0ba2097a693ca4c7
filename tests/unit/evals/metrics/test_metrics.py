"""A metric is a module: what it computes and shows is in the report because it is listed."""

from pkgutil import iter_modules
from types import SimpleNamespace

from fusion_tool.evals import metrics
from fusion_tool.evals.metrics import CHARTS, METRICS
from fusion_tool.evals.report.section import ReportSection
from fusion_tool.evals.report.tables import to_markdown
from fusion_tool.evals.summary import summarize
from tests.unit.evals.folders import answer, folder, references, solo


def test_every_module_is_listed():
    assert {module.name for module in iter_modules(metrics.__path__)} == set(METRICS)
    assert set(CHARTS) <= set(METRICS)


def test_a_listed_metric_has_its_section(tmp_path, monkeypatch):
    words = SimpleNamespace(
        compute=lambda _, rows: sum(len(row.answer.split()) for row in rows),
        section=lambda arms: ReportSection(
            "words", "Words", ("arm", "words"), [(arm.name, str(arm.metrics["words"])) for arm in arms]
        ),
    )
    monkeypatch.setitem(METRICS, "words", words)
    results = folder(tmp_path, references(2), solo())
    answer(results, "solo", "t0", "It is 0.")
    answer(results, "solo", "t1", "1")
    assert "## Words" in (report := to_markdown(summarize(results)))
    assert "| solo | 4 |" in report
