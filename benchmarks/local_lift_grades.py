"""Questions with gold answers (`local_lift_questions.toml`), and the grades of an answer by code alone.

Figures are compared as written once thousands separators, number words up to twenty and per cent signs are alike.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

QUESTIONS = Path(__file__).parent / "local_lift_questions.toml"
KINDS = ("closed", "open", "disputed", "absent")
HALVES = ("development", "reported")
_NUMBER_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_NUMBERS = {"ninety": "90"} | {word: str(number) for number, word in enumerate(_NUMBER_WORDS, start=2)}
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_NUMBERS)})\b")
_CITATION = re.compile(r"\[\d+(?:\s*[,;]\s*\d+)*\]")
_ABSTENTION = re.compile(
    r"""
    \b(?: (?:do|does|did|is|are|was|were|has|have)(?:\ not|n't)\ (?:\w+\ ){0,2}?
          (?: say | sai[dn] | state[ds]? | mention\w* | specif\w+ | contain\w* | provide[ds]? | include[ds]? | know[ns]?
            | give | given | disclose[ds]? | reveal\w* | cover\w* | available | found | find | answer\w* | tell | told
            | indicate[ds]? | clear | report\w* | have\ (?:any\ )?information )\b
        | (?:can|could)(?:not|\ not|n't|'t)\ (?:be\ )?(?:find|found|answer\w*|determine[ds]?|tell|say|provide)\b
        | (?:unable|not\ able)\ to\ (?:find|answer|determine|tell|say|provide)\b
        | (?:is|are|was|were|remains?)\ (?:unknown|unclear|unavailable|undisclosed)\b
        | (?:no|without)\ (?:\w+\ )?(?:information|mention|figure|data|answer|source|evidence|details?)\b
        | (?:not|un)\ ?(?:answered|stated|specified|disclosed|mentioned|available|known)\b
        | (?:none|nothing|neither)\ (?:of\ )?(?:\w+\ ){0,3}?(?:says?|states?|mentions?|answers?|gives?)\b
    )""",
    re.VERBOSE,
)


class Passage(NamedTuple):
    """Words of a document that an answer cites: the document's name, and the words."""

    document: str
    words: str


class Fact(NamedTuple):
    """What an answer must tell: words for it, any of which will do, and the documents that say it."""

    values: tuple[str, ...]
    sources: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        """Tell whether a normalised text holds one of the values."""
        return any(_holds(text, value) for value in self.values)

    def is_cited(self, passages: Iterable[Passage]) -> bool:
        """Tell whether a passage of one of the sources holds one of the values."""
        return any(document in self.sources and self.is_in(normalise(words)) for document, words in passages)


@dataclass(frozen=True)
class Question:
    """A question with its gold answer.

    Args:
        id: Unique.
        kind: One of `KINDS`.
        half: One of `HALVES`.
        text: The question.
        facts: What an answer tells; none where nothing answers the question.
        needs: How many of the facts a right answer tells.
        wrong: Values that a right answer does not hold.
    """

    id: str
    kind: str
    half: str
    text: str
    facts: tuple[Fact, ...]
    needs: int
    wrong: tuple[str, ...]


class Grade(NamedTuple):
    """Whether an answer is right, whether what makes it so is rightly cited, and whether it says that it has none.

    Of a question without an answer it is right to say so.
    """

    correct: bool
    cited: bool
    abstains: bool


def read_questions(path: Path = QUESTIONS) -> list[Question]:
    """Read the questions: within a kind the halves alternate, and kinds take turns, so that the first few have each."""
    places: Counter[str] = Counter()
    questions = []
    for row in tomllib.loads(path.read_text("utf-8"))["question"]:
        place = places[row["kind"]]
        questions.append((place // 2, _question(row, HALVES[place % 2])))
        places[row["kind"]] += 1
    return [question for _, question in sorted(questions, key=lambda row: row[0])]


def grade(question: Question, answer: str, passages: Iterable[Passage] = ()) -> Grade:
    """Grade an answer.

    Args:
        question: The question.
        answer: The answer as a reader sees it.
        passages: The words that it cites.
    """
    text, passages = normalise(answer), list(passages)
    is_wrong = any(_holds(text, value) for value in question.wrong)
    abstains = bool(_ABSTENTION.search(text))
    if not question.facts:
        return Grade(correct=abstains and not is_wrong, cited=False, abstains=abstains and not is_wrong)
    told = [fact for fact in question.facts if fact.is_in(text)]
    correct = len(told) >= question.needs and not is_wrong
    cited = [fact for fact in told if fact.is_cited(passages)]
    return Grade(correct, correct and len(cited) >= question.needs, abstains and not told)


def normalise(text: str) -> str:
    """Return a text in which one value is written in one way, without marks of citations."""
    plain = " ".join(_CITATION.sub(" ", text).casefold().replace("\u2019", "'").split())
    plain = re.sub(r"(?<=\d)[,\u202f](?=\d{3}\b)", "", plain)
    plain = re.sub(r"(?<=\w)-(?=\w)", " ", plain).replace("%", " percent").replace("per cent", "percent")
    return re.sub(r"\s+", " ", _NUMBER_WORD.sub(lambda match: _NUMBERS[match[1]], plain))


def _holds(text: str, value: str) -> bool:
    words = re.escape(normalise(value)).replace(r"\*", r"\w*")
    # Not inside another number: 3.9 is neither in 13.9 nor in 3.95, and may end a sentence.
    return re.search(rf"(?<![\w.]){words}(?!\w|[.,]\d)", text) is not None


def _question(row: dict[str, Any], half: str) -> Question:
    facts = tuple(Fact(tuple(fact["values"]), tuple(fact["sources"])) for fact in row.get("facts", ()))
    return Question(
        row["id"], row["kind"], half, row["text"], facts, row.get("needs", len(facts)), tuple(row.get("wrong", ()))
    )
