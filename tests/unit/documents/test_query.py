import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.documents.query import match_expression


@pytest.mark.parametrize(
    ("question", "expression"),
    [
        ("What did the Kestrel cost?", '"kestrel" OR "cost"'),
        ("who was it", '"who" OR "was" OR "it"'),
        ("Kestrel kestrel KESTREL", '"kestrel"'),
        ("version 3.5 at 1,200 crowns", '"version" OR "3.5" OR "1,200" OR "crowns"'),
        ('"title" NEAR(a b) AND text:* -x', '"title" OR "near" OR "b" OR "text" OR "x"'),
        ("", None),
        ("?! -- '\"", None),
        ("\N{ROCKET} \N{ROCKET}", None),
    ],
)
def test_words_quoted_and_joined(question, expression):
    assert match_expression(question) == expression


def test_a_long_question_keeps_its_first_words():
    assert match_expression(" ".join(f"w{n}" for n in range(1000))).count("OR") == 31


@given(st.text())
def test_whatever_is_asked_fts5_understands_it(question):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        expression = match_expression(question)
        if expression is not None:
            connection.execute("SELECT * FROM t WHERE t MATCH ?", (expression,)).fetchall()
