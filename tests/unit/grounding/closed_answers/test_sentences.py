"""A value inside a sentence is the answer only where nothing else is said: never a false agreement."""

import pytest

from fusion_tool.grounding.closed_answers.compare import compare_closed

COST = "What was the final cost of the Halden bridge?"
BUILT = "When was the Alder mill built?"
WHO = "Who built the Alder mill?"
HOW_LONG = "How long did the transfer of the archive take?"


def agree(question: str, *texts: str) -> bool:
    verdict = compare_closed(question, texts)
    return verdict.closed and len(verdict.groups) == 1


AGREED = [
    (COST, "The final cost was 497 million.", "The final cost of the Halden bridge was 497 million [1a2b3c4d]."),
    (COST, "- The final cost was 497 million [1a2b3c4d]", "- The bridge's final cost was 497 million [5e6f7a8b]"),
    (COST, "The final cost was 497 million euros", "The Halden bridge cost €497 million [1a2b3c4d]."),
    (COST, "The final cost was 497 million", "497 million"),
    (COST, "The final cost was 497 million", "Much was built.\n\nAnswer: 497,000,000"),
    (COST, "According to the sources, the final cost was 497 million [1a2b3c4d].", "It was 497 million [1a2b3c4d]."),
    (
        COST,
        "- The final cost was 497 million [1a2b3c4d]\n- The bridge opened to traffic in 1998 [1a2b3c4d]",
        "The final cost was 497 million [1a2b3c4d].",
    ),
    (BUILT, "The Alder mill was built in 1861 [1a2b3c4d].", "It was built in 1861"),
    (BUILT, "The mill was built on 12 March 1861 [1a2b3c4d].", "The Alder mill was built on March 12, 1861."),
    (WHO, "The mill was built by John Marsh [1a2b3c4d].", "John Marsh built the Alder mill."),
    (HOW_LONG, "The transfer took 14 hours [1a2b3c4d]", "The transfer of the archive took 14 hours."),
]


@pytest.mark.parametrize(("question", "first", "second"), AGREED)
def test_sentences_that_state_the_same_value_agree(question, first, second):
    assert agree(question, first, second)
    assert agree(question, second, first)


APART = [
    (COST, "The final cost was 497 million", "The final cost was 512 million [1a2b3c4d]."),
    (COST, "The final cost was 497 million euros", "The final cost was 497 million dollars"),
    (COST, "The planned cost of the bridge was 497 million [1a2b3c4d]", "The final cost was 497 million"),
    (COST, "The first half cost 497 million [1a2b3c4d]", "The final cost was 497 million"),
    (COST, "The final cost was not 497 million [1a2b3c4d]", "The final cost was 497 million"),
    (COST, "The final cost was about 497 million [1a2b3c4d]", "The final cost was 497 million"),
    (COST, "The final cost was at least 497 million", "The final cost was 497 million"),
    (COST, "The final cost was 497 million or 512 million", "The final cost was 497 million"),
    (COST, "The final cost was 497 to 512 million", "The final cost was 497 million"),
    (COST, "The final cost of the Skien bridge was 497 million", "The final cost was 497 million"),
    (COST, "The final cost was 497 million in 1998 prices", "The final cost was 497 million"),
    (
        COST,
        "The final cost was 497 million [1a2b3c4d]. A later report disputes this.",
        "The final cost was 497 million",
    ),
    (COST, "The final cost was 497 million per lane", "The final cost was 497 million"),
    (COST, "The final cost was 497 million crowns", "The final cost was 497 million euros"),
    (COST, "The final cost was 497zm", "The final cost was 497zd"),
    (COST, "The final cost was 1/2", "The final cost was 1/3"),
    (COST, "The final cost was 497 million", "The final cost was -497 million"),
    (COST, "The final cost is unknown", "The final cost is unknown."),
    (BUILT, "The mill was built in 1861", "The mill was built in 1862 [1a2b3c4d]."),
    (BUILT, "The mill was built in 1861", "The mill was rebuilt in 1861"),
    (BUILT, "The mill was built in 1861", "The mill burned down in 1861"),
    (BUILT, "The mill was built in 1861", "The mill was built from 1861 to 1863"),
    (BUILT, "The mill was built in the 1860s", "The mill was built in 1860"),
    (WHO, "The mill was built by John Marsh", "The mill was built by the son of John Marsh"),
    (WHO, "The mill was built by John Marsh", "The mill was built by John Marsh and Ann Reed"),
    (WHO, "The mill was built by John Marsh", "The mill was built by James Marsh"),
    (WHO, "The mill was built by John Marsh", "The mill was sold to John Marsh"),
    (HOW_LONG, "The transfer took 14 hours", "The transfer took 11 hours 20 minutes"),
    (
        "What was the cost of the bridge and the tunnel?",
        "The cost of the bridge was 5 million",
        "The cost of the tunnel was 5 million [1a2b3c4d]",
    ),
    (
        "How much more did the bridge cost than the tunnel?",
        "The bridge cost 5 million",
        "The tunnel cost 5 million [1a2b3c4d]",
    ),
    (
        "What was the cost of the bridge before the tunnel opened?",
        "The bridge cost 5 million",
        "The tunnel cost 5 million [1a2b3c4d]",
    ),
    ("How many members could not vote?", "5 members could not vote", "The members that could vote were 5 members"),
    ("Who did Rome defeat?", "Hannibal Barca defeated Rome", "Rome defeated Hannibal Barca"),
    ("Why was the mill built?", "It was built in 1861 for grain.", "It was built in 1861 for wood."),
    ("What did the mill make, and when was it built?", "It was built in 1861", "The mill was built in 1861 for wood"),
    ("Wann wurde die Mühle gebaut?", "Die Mühle wurde 1861 gebaut", "Die Mühle wurde im Jahr 1861 gebaut"),
    ("Was the mill built in 1861?", "The mill was built in 1861", "The mill was not built in 1861"),
]


@pytest.mark.parametrize(("question", "first", "second"), APART)
def test_whatever_else_is_said_is_no_agreement(question, first, second):
    assert not agree(question, first, second)


def test_the_value_is_what_is_named():
    verdict = compare_closed(
        COST, ["The final cost was 497 million", "The bridge's final cost was €512 million [1a2b3c4d]"]
    )
    assert (verdict.closed, verdict.answers) == (True, ("497 million", "€512 million"))
