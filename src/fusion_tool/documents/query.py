"""A question as an FTS5 query: its telling words, quoted, joined with OR.

Quoting makes every word a string (https://www.sqlite.org/fts5.html#full_text_query_syntax), so that
nothing a model writes is read as an operator.
"""

import re
from unicodedata import normalize

_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+")
_MOST_WORDS = 32

_COMMON = (
    "a about after all also an and any are as at be because been before being but by can could did do does "
    "doing down for from had has have having he her here hers him his how i if in into is it its just me "
    "more most my no nor not of off on once only or other our out over own s same she should so some such t "
    "than that the their them then there these they this those through to too under until up very was we "
    "were what when where which while who whom why will with would you your"
)
_STOP_WORDS = frozenset(_COMMON.split())


def match_expression(question: str) -> str | None:
    """The FTS5 expression for `question`, `None` where it holds no word at all.

    Stop words are left out unless there is nothing else.
    """
    words = list(dict.fromkeys(_WORD.findall(normalize("NFC", question.lower()))))
    telling = [word for word in words if word not in _STOP_WORDS] or words
    return " OR ".join(f'"{word}"' for word in telling[:_MOST_WORDS]) or None
