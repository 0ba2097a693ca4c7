"""What small models spoil is told from what they answer."""

import json

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.answer_gate import AnswerGate
from fusion_tool.graph.agents.judge_reply import reply_schema
from fusion_tool.graph.agents.spoiled import Inspection, inspect_reply, inspector
from fusion_tool.graph.prompts import render

QUESTION = "When was the Alder mill built?"
ANSWER = "The Alder mill was built in 1861 [1a2b3c4d]. It burned down in 1904."
RULES = render("panelist", nonce="00ff17ab42cd", today="2026-01-31", hint="")
RULE = "Keep a finding even if you expect others to disagree with it."
GERMAN = "Die Mühle wurde im Jahr 1861 gebaut, und sie ist im Jahr 1904 bis auf die Mauern abgebrannt."
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
FILLED = {"type": "object", "properties": {"answer": {"type": "string", "value": ANSWER}}}
CODE = "```python\nprint(1861)\n```"
FORMULAS = (
    r"\[z^5 = x^5 + 5x^4 yi - 10x^3 y^2 + y^5 i\] and \[\frac{y(5x^4 - 10x^2 y^2 + y^4)}{y^5} = 5t^4 - 10t^2 + 1.\]"
)

WHOLE = {
    "as it is": (ANSWER, ANSWER),
    "a fence around it": (f"```\n{ANSWER}\n```", ANSWER),
    "a fence that says what it is": (f"```markdown\n{ANSWER}\n```", ANSWER),
    "the template's end": (f"{ANSWER}<|im_end|>", ANSWER),
    "several ends": (f"{ANSWER}\n<|im_end|>\n</s>", ANSWER),
    "the template's beginning": (f"<|im_start|>assistant\n{ANSWER}", ANSWER),
    "a heading for the answer": (f"### Response:\n{ANSWER}", ANSWER),
    "code": (CODE, CODE),
    "code without a language": ("```\nx = [1, 2]\n```", "```\nx = [1, 2]\n```"),
    "two fences": (f"```\na.\n```\n{ANSWER}\n```\nb.\n```", f"```\na.\n```\n{ANSWER}\n```\nb.\n```"),
    "headings of its own": (f"### Response to the fire\n{ANSWER}",) * 2,
    "text that is struck out": (f"<s>1862</s> {ANSWER}".replace("<s>", "It was not <s>"),) * 2,
    "JSON that is no schema": ('{"type": "watermill", "built": 1861}', '{"type": "watermill", "built": 1861}'),
    "a short answer": ("1861", "1861"),
    "words that a rule has, too": ("Say plainly what is uncertain.", "Say plainly what is uncertain."),
    "formulas, whose letters are words elsewhere": (FORMULAS, FORMULAS),
    "a quotation in another language": (f'{ANSWER} The stone says "Die Mühle wurde gebaut".',) * 2,
}
SPOILED = {
    "the conversation goes on": (f"{ANSWER}<|im_end|>\n<|im_start|>user\nAnd who built it?", ANSWER, "marks"),
    "an instruction follows": (f"{ANSWER}\n\n### Instruction:\nWrite a poem.", ANSWER, "marks"),
    "Llama's marks": (f"{ANSWER} [INST] Next question [/INST] 1904 it is.", ANSWER, "marks"),
    "nothing but marks": ("<|im_start|>user\nWhen was it built?", "", "marks"),
    "a rule before the answer": (f"{RULE}\n\n{ANSWER}", ANSWER, "instructions"),
    "a rule as a list item": (f"- {RULE}\n\n{ANSWER}", ANSWER, "instructions"),
    "nothing but a rule": (RULE, "", "instructions"),
    "the schema": (json.dumps(SCHEMA), "", "schema"),
    "the schema in a fence": (f"```json\n{json.dumps(SCHEMA, indent=2)}\n```", "", "schema"),
    "the judge's schema": (json.dumps(reply_schema("AB")), "", "schema"),
    "the schema with the answer inside": (json.dumps(FILLED), ANSWER, "schema"),
    "a letter": ("A", "A", "letter"),
    "a letter in brackets": ("(B)", "(B)", "letter"),
    "an answer's letter": ("Answer C", "", "letter"),
    "the answer is a letter": ("The answer is B.", "", "letter"),
    "German": (GERMAN, GERMAN, "(de)"),
    "Chinese": ("磨坊建于1861年。", "磨坊建于1861年。", "(zh)"),
}


@pytest.mark.parametrize(("reply", "answer"), WHOLE.values(), ids=WHOLE)
def test_an_answer_is_taken_as_it_is_or_without_its_wrapping(reply, answer):
    assert inspect_reply(reply, question=QUESTION, rules=RULES) == Inspection(answer)


@pytest.mark.parametrize(("reply", "answer", "fault"), SPOILED.values(), ids=SPOILED)
def test_what_is_spoiled_is_told_and_cut_out(reply, answer, fault):
    inspection = inspect_reply(reply, question=QUESTION, rules=RULES)
    assert inspection.text == answer
    assert fault in inspection.fault
    assert bool(fault) == bool(inspection.fault)


FINE = [
    ("Which is it?\n(A) a mill\n(B) a barn", "B"),
    ("Which is it?\n(A) a mill\n(B) a barn", "Answer A"),
    ("Antworte auf Deutsch: When was the Alder mill built?", GERMAN),
    ("Translate this into German: the mill was built in 1861 and burned down.", GERMAN),
    ("Wann wurde die Mühle gebaut, und wer hat sie gebaut?", GERMAN),
    ("mill?", GERMAN),
]


@pytest.mark.parametrize(("question", "reply"), FINE)
def test_what_the_question_wants_is_not_spoiled(question, reply):
    assert inspect_reply(reply, question=question) == Inspection(reply)


def test_an_object_that_was_asked_for_may_stand_in_a_fence_and_is_not_read_as_prose():
    assert inspect_reply('```json\n{"year": "A"}\n```', question=QUESTION, is_json=True) == Inspection('{"year": "A"}')
    assert inspect_reply(json.dumps(FILLED), question=QUESTION, is_json=True).text == ""


OWN = {
    "local:qwen2.5-coder-1.5b": True,
    "ollama:qwen3:8b": True,
    "openrouter:qwen/qwen3-8b": False,
    "anthropic:claude-opus-4.6": False,
}


@pytest.mark.parametrize(("model", "looks"), OWN.items())
def test_only_models_on_own_servers_are_looked_at(model, looks):
    assert (inspector(Panelist(model=model), QUESTION) is not None) is looks


@pytest.mark.parametrize(
    ("address", "looks"), [("http://10.0.0.5:8000/v1", True), ("https://api.example.com/v1", False)]
)
def test_an_address_of_ones_own_is_an_own_server(address, looks):
    assert (inspector(Panelist(model="openai:qwen", base_url=address), QUESTION) is not None) is looks


LONG = f"{ANSWER} " * 6
STREAMS = {
    "a whole answer": (LONG, len(LONG) - 24),
    "a short answer waits for its end": (ANSWER, 0),
    "marks behind it": (f"{LONG}<|im_end|>\n<|im_start|>user\nAnd then it goes on and on.", len(LONG) - 1),
    "a fence": (f"```\n{LONG}\n```", 0),
    "a schema": (json.dumps(reply_schema("AB")), 0),
    "another language": (f"{GERMAN} " * 4, 0),
    "its rules": (f"{RULE} {LONG}", 0),
}


@pytest.mark.parametrize(("reply", "shown"), STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_shows_nothing_that_may_be_spoiled(reply, shown, size):
    pieces: list[str] = []
    gate = AnswerGate(pieces.append, inspector(Panelist(model="local:qwen"), QUESTION, rules=RULES))
    for start in range(0, len(reply), size):
        gate.feed(reply[start : start + size])
    assert "".join(pieces) == gate.shown == reply[:shown]
