import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.support import judge_support

SOURCE = """# The Halden Bridge

The Halden Bridge opened on 4 June 1998 after six years of work. It spans 1,180 metres and was designed by the
engineer Ingrid Solheim. Construction cost 2.4 billion kroner, about 15 percent more than planned. Tolls were
abolished in 2013. The bridge carries roughly 9,000 vehicles a day.

"It is a line drawn with a ruler," Solheim said at the opening. Cyclists are not allowed on the bridge. Drivers
should slow down on the bridge. Changing the railing is not possible without a permit. Officials
may widen the road by 2030. The tower in Oslo is 98 metres tall while the one in Bergen is 112 metres tall.
"""


@pytest.mark.parametrize(
    "sentence",
    [
        "The Halden Bridge opened on June 4, 1998.",
        "The bridge was opened in June 1998.",
        "It was designed by Ingrid Solheim.",
        "Solheim, an engineer, designed the Halden Bridge.",
        "Construction of the bridge cost 2,400 million kroner.",
        "The bridge carries about 9,000 vehicles daily.",
        'Solheim called it "a line drawn with a ruler".',
        "Cyclists are banned from the bridge.",
        "**Tolls** were abolished in `2013`.",
        "Officials may widen the road by 2030.",
        "The tower in Bergen is 112 metres tall.",
        "The Oslo tower is 98 m tall.",
    ],
)
def test_what_the_source_says_in_other_words_is_supported(sentence):
    assert judge_support(sentence, SOURCE) == "supported"


@pytest.mark.parametrize(
    "sentence",
    [
        "The Halden Bridge opened in 1999.",
        "The Halden Bridge opened on 14 June 1998.",
        "The Halden Bridge was designed by the engineer Erik Larsen.",
        "Construction cost 2.4 million kroner.",
        "Construction cost 3.4 billion kroner.",
        "The bridge spans 1,180 feet.",
        "Tolls were introduced in 2013.",
        'Solheim called the bridge "a masterpiece of design".',
        "Cyclists are allowed on the bridge.",
        "The tower in Bergen is 98 metres tall.",
    ],
)
def test_what_the_source_gives_otherwise_is_a_mismatch(sentence):
    assert judge_support(sentence, SOURCE) == "mismatch"


@pytest.mark.parametrize(
    "sentence",
    [
        "Norway exports salmon.",
        "The bridge won an architecture prize.",
        "The road will be widened by 2030.",
        "The bridge is closed in strong winds.",
        "Drivers must slow down on the bridge.",
        "It is possible to change the railing.",
        "Yes.",
        "",
    ],
)
def test_what_the_source_neither_carries_nor_contradicts_is_weak(sentence):
    assert judge_support(sentence, SOURCE) == "weak"


@pytest.mark.parametrize("sentence", ["The bridge opened.", "", "It cost $5."])
def test_an_empty_source_carries_nothing(sentence):
    assert judge_support(sentence, "") == "weak"


@given(sentence=st.text(max_size=80), source=st.text(max_size=200))
def test_any_text_is_judged_and_the_verdict_is_the_same_again(sentence, source):
    verdict = judge_support(sentence, source)
    assert verdict in {"supported", "weak", "mismatch"}
    assert judge_support(sentence, source) == verdict


@given(st.sampled_from([line for line in SOURCE.replace("\n", " ").split(". ") if line.strip() and "may" not in line]))
def test_a_sentence_supports_itself(sentence):
    assert judge_support(sentence, sentence) == "supported"


@pytest.mark.parametrize(
    ("file", "right", "accusations"), [("support_pairs.jsonl", 70, 1), ("support_pairs_2.jsonl", 70, 1)]
)
def test_the_dev_halves_of_the_labelled_pairs_stay_as_well_judged(file, right, accusations):
    """The floor is what was reached less a margin of three pairs; `benchmarks/grounding.py` prints the figures."""
    lines = (Path(__file__).parents[2] / "data" / file).read_text("utf-8").splitlines()
    pairs = [row for row in map(json.loads, lines) if row["split"] == "dev"]
    verdicts = [(row["label"], judge_support(row["sentence"], row["source"])) for row in pairs]
    assert sum(label == verdict for label, verdict in verdicts) >= right
    assert sum(verdict == "mismatch" != label for label, verdict in verdicts) <= accusations
