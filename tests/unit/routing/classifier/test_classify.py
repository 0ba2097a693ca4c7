"""What is told of a question: by meaning, explained, unsure where the words are, and quick whatever the text.

A classifier of the caller's own is believed where what it says is valid.
"""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.routing.choose import SURE
from fusion_tool.routing.classifier.classify import classify, classify_with
from fusion_tool.routing.classifier.phrases import stem
from fusion_tool.routing.classifier.signals import DOMAINS

PLAIN = [
    ("coding", "Write a Python function that merges two sorted linked lists."),
    ("coding", "Why does my React component re-render when I call setState?"),
    ("coding", "What is wrong here?\n```\nx = f(y) + 1\nif x: raise ValueError\n```"),
    ("science", "How do vaccines train the immune system?"),
    ("science", "Which particle mediates the electromagnetic force?"),
    ("mathematics", "Find the derivative of x^3 sin x."),
    ("mathematics", "What is 17 * 23?"),
    ("reasoning", "All bloops are razzies and some razzies are lazzies. Are all bloops lazzies?"),
    ("reasoning", "What number comes next: 2, 6, 12, 20, 30, ?"),
    ("computer_use", "Open the browser, go to example.com, and add the cheapest cable to the cart."),
    ("computer_use", "Rename all files in my Downloads folder by date."),
    ("writing", "Write a haiku about autumn."),
    ("writing", "Translate the following sentence into French: The electron orbits the nucleus of the atom."),
    ("writing", "Write a short story about a compiler that falls in love with a linker."),
    ("mathematics", "Lena has 12 eggs and buys twice as many. She boils five. How many eggs are left?"),
    ("science", "How many grams of NaOH neutralise 50 mL of 0.1 M HCl?"),
    ("computer_use", "Log in to the customer portal, open the invoices tab and download the newest one."),
    ("retrieval", "Find three peer-reviewed papers on sleep and memory, with links."),
    ("retrieval", "What does the employee handbook say about parental leave?"),
    ("current_events", "What is Apple's stock price right now?"),
    ("current_events", "What is the latest stable version of PostgreSQL?"),
    ("general", "Who wrote The Brothers Karamazov?"),
    ("general", "In what year was the Treaty of Westphalia signed?"),
    ("general", "Why do curtains fade?"),
    ("general", "Can you recommend a recipe for dinner with chicken and rice?"),
]


@pytest.mark.parametrize(("domain", "question"), PLAIN)
def test_a_plain_question_of_each_domain(domain, question):
    signals = classify(question)
    assert signals.domain == domain
    assert signals.confidence >= SURE
    assert any(said.startswith(f"{domain}: ") for said in signals.evidence)


def test_every_domain_has_an_example():
    assert {domain for domain, _ in PLAIN} == set(DOMAINS)


def test_the_kind_of_text_that_is_asked_for_outweighs_its_subject():
    for subject in ("a Python decorator", "the mitochondria", "a prime number", "the news of today"):
        assert classify(f"Compose a sonnet about {subject}.").domain == "writing"


@pytest.mark.parametrize(
    ("word", "other"), [("news", "new"), ("note", "not"), ("rate", "rat"), ("marketing", "market"), ("theme", "them")]
)
def test_words_that_only_look_alike_are_told_apart(word, other):
    assert stem(word, "en") != stem(other, "en")


@pytest.mark.parametrize(
    "forms",
    [
        "prove proves proved proving",
        "run runs running",
        "define defines defined defining",
        "study studies",
        "write writes writing",
        "note notes noted noting",
        "box boxes",
        "visit visits visited visiting",
    ],
)
def test_one_word_has_one_stem_whatever_its_ending(forms):
    assert len({stem(word, "en") for word in forms.split()}) == 1


@pytest.mark.parametrize(
    "question",
    [
        "hello there",
        "Tell me more.",
        "asdf qwer zxcv",
        "?",
        "",
        "Und dann?",
        "Do it again, but better.",
        "What about the other one?",
    ],
)
def test_without_evidence_it_abstains(question):
    assert classify(question).confidence < SURE


@pytest.mark.parametrize(
    ("language", "question", "domain"),
    [
        ("de", "Wann wurde die Berliner Mauer gebaut?", "general"),
        ("de", "Schreibe eine Python-Funktion, die zwei Listen zusammenführt.", "coding"),
        ("fr", "Quelle est la dérivée de x^2 ?", "mathematics"),
        ("es", "¿Cómo funciona la fotosíntesis en las plantas?", "science"),
        ("ru", "Кто написал «Войну и мир»?", "general"),
        ("zh", "用Python写一个快速排序函数", "coding"),
        ("ja", "今日の東京の天気は", "current_events"),
        ("ar", "ما هي درجة غليان الماء؟", "science"),
        ("pl", "Jak działa fotosynteza?", "science"),
        ("ko", "광합성은 어떻게 작동하나요?", "science"),
    ],
)
def test_other_languages_are_told_and_never_sent_elsewhere_with_confidence(language, question, domain):
    signals = classify(question)
    assert signals.language == language
    assert signals.domain == domain or signals.confidence < SURE


@pytest.mark.parametrize(
    ("closed", "question"),
    [
        (True, "How many moons does Mars have?"),
        (True, "Is 91 a prime number?"),
        (True, "What is the capital of Mongolia?"),
        (True, "Which is larger?\nA) 3/4\nB) 5/7"),
        (True, "What does print(2 ** 10) output?"),
        (True, "Wie viele Einwohner hat Wien?"),
        (True, "What's the boiling point of ethanol?"),
        (True, "Two guards: one always lies, the other always tells the truth. Which door?"),
        (False, "What's the difference between mitosis and meiosis?"),
        (False, "Is the series convergent? Justify your answer."),
        (False, "Why is the sky blue?"),
        (False, "Compare the causes of the two world wars."),
        (False, "Can you explain how vaccines work?"),
        (False, "Write a story about a fox."),
    ],
)
def test_closed_or_open(closed, question):
    assert classify(question).closed is closed


@pytest.mark.parametrize(
    ("difficulty", "question"),
    [
        ("easy", "What is the capital of Mongolia?"),
        ("easy", "Define entropy in one sentence."),
        ("hard", "Derive rigorously the necessary and sufficient conditions for convergence."),
        (
            "hard",
            "Design a lock-free queue that must be linearizable, without allocation, for at most two writers.",
        ),
        (
            "hard",
            "Weigh the evidence for and against group selection, and say where each school of thought is weakest.",
        ),
        (
            "hard",
            "Show that every bounded sequence has a convergent subsequence, then argue whether the bound is needed.",
        ),
        ("medium", "Explain how a hash map resolves collisions."),
        ("medium", "Compare Baroque and Rococo."),
    ],
)
def test_difficulty_is_told_by_what_is_asked_for(difficulty, question):
    assert classify(question).difficulty == difficulty


def test_a_contested_question_is_deep():
    assert classify("What are the arguments for and against nuclear energy?").deep
    assert not classify("What is the capital of Mongolia?").deep


def test_fresh_facts():
    assert classify("Who is the current prime minister of Japan?").needs_fresh
    assert classify("今日の東京の天気は").needs_fresh
    assert classify("How many houses has the wildfire near Athens destroyed since Monday?").needs_fresh
    assert not classify("Who wrote Hamlet?").needs_fresh


def test_the_context_speaks_where_the_question_does_not():
    alone, told = (
        classify("Why does it fail?"),
        classify("Why does it fail?", "A Python traceback from pytest, in Django."),
    )
    assert alone.confidence < SURE <= told.confidence
    assert told.domain == "coding"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.text(max_size=100))
def test_any_text_is_read_alike_twice(question, context):
    signals = classify(question, context)
    assert signals == classify(question, context)
    assert 0 <= signals.confidence <= 1
    assert signals.length == len(question)


@pytest.mark.parametrize(
    "text", ["a", "1 ", "(a) ", "aB", "`", "who that ", "all x are y ", "- a\n", "\n \n", "1,", "a_", "what is the "]
)
def test_no_text_is_slow(text):
    long = text * (200_000 // len(text))
    classify(long)
    since = time.process_time()
    classify(long, long)
    assert time.process_time() - since < 0.1  # far from what backtracking would take, whatever the machine does


QUESTION = "Who wrote The Brothers Karamazov?"


def saying(answer):
    async def classifier(question):
        assert question == QUESTION
        if isinstance(answer, Exception):
            raise answer
        return answer

    return classifier


async def test_none_means_the_word_lists():
    assert await classify_with(None, QUESTION) == classify(QUESTION)


async def test_signals_are_taken_as_they_are():
    signals = classify("Write a haiku about autumn.")
    assert await classify_with(saying(signals), QUESTION) is signals


async def test_what_it_leaves_out_comes_from_the_word_lists():
    signals = await classify_with(saying({"domain": "science", "difficulty": "hard"}), QUESTION)
    assert (signals.domain, signals.difficulty, signals.confidence) == ("science", "hard", 1.0)
    assert signals.closed is classify(QUESTION).closed


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"domain": "juggling"},
        {"domain": "science", "confidence": 7},
        {"domain": "science", "x": 1},
        None,
        "science",
        RuntimeError("down"),
    ],
)
async def test_anything_else_leaves_it_to_the_word_lists(answer, caplog):
    assert await classify_with(saying(answer), QUESTION) == classify(QUESTION)
    assert "the word lists decide" in caplog.text


@pytest.mark.parametrize(
    ("question", "needs"),
    [
        ("What are the latest results on solid state batteries?", True),
        ("Who won the election in Austria yesterday?", True),
        ("Compare the GDP of Spain and Italy since 2010", True),
        ("What drugs interact with warfarin?", True),
        ("What is 2 + 2?", False),
        ("Who wrote Hamlet?", False),
        ("What is the capital of France?", False),
        ("Write a haiku about autumn", False),
        ("hello", False),
        ("", False),
    ],
)
def test_what_has_to_be_looked_up(question, needs):
    assert classify(question).needs_sources is needs
