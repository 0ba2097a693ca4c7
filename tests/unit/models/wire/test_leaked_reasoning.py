"""What of a message is its answer, in one piece or in any number of pieces."""

# ruff: noqa: RUF001

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter, strip_reasoning
from fusion_tool.models.wire.reasoning_marks import BEGINNINGS, CLOSES_ALONE, begins_with_mark, find_closing

ANSWER = "The tide rose."
FINAL = "<|start|>assistant<|channel|>final<|message|>"

LEAKS = {
    "think": f"<think>hm secret</think>{ANSWER}",
    "lines of their own": f"\n<think>\nhm secret\n</think>\n\n{ANSWER}\n",
    "two": f"<think></think><think>hm secret</think> {ANSWER}",
    "thinking": f"<thinking>hm secret</thinking>{ANSWER}",
    "thought": f"<thought>hm secret</thought>{ANSWER}",
    "reasoning": f"<reasoning>hm secret</reasoning>{ANSWER}",
    "capitals": f"<THINK>hm secret</THINK>{ANSWER}",
    "attributes": f'<think time="3">hm secret</think>{ANSWER}',
    "another closing tag": f"<think>hm secret</thinking>{ANSWER}",
    **{
        name: f"<{name}>\nhm secret\n</{name}>\n{ANSWER}"
        for name in ("reason", "scratch_pad", "antThinking", "inner_monologue", "internal_thoughts", "cot")
    },
    "a longer name": f"<longcat_think>hm secret</longcat_think>{ANSWER}",
    "a number in the name": f"<think_never_used_51b>hm secret</think_never_used_51b>{ANSWER}",
    "byte order mark": f"\ufeff<think>hm secret</think>{ANSWER}",
    "first token": f"<s><think>hm secret</think>{ANSWER}</s>",
    "chatml's head": f"<|im_start|>assistant\n<think>hm secret</think>{ANSWER}<|im_end|>",
    "llama's head": f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    "solar": f"<|begin|>assistant<|think|>hm secret<|end|><|begin|>assistant<|content|>{ANSWER}<|end|>",
    "open webui": f'<details type="reasoning" done="true">\n<summary>Thought</summary>\nsecret\n</details>\n{ANSWER}',
    "final tags": f"<thinking>hm secret</thinking>\n<final_answer>{ANSWER}</final_answer>",
    "harmony, a token lost": f"<|channel|>analysis<|message|>hm<|end|>assistant<|channel|>final<|message|>{ANSWER}",
    **{f"{token} at its end": ANSWER + token for token in ("<end_of_turn>", "<｜end▁of▁sentence｜>")},
    "seed": f"<seed:think>hm secret</seed:think>{ANSWER}",
    "minimax m3": f"<mm:think>hm secret</mm:think>{ANSWER}",
    "magistral": f"[THINK]hm secret[/THINK]{ANSWER}",
    "kimi-vl": f"◁think▷hm secret◁/think▷{ANSWER}",
    "kimi k3": "<|open|>think<|sep|>hm secret<|close|>think<|sep|>"
    f"<|open|>response<|sep|>{ANSWER}<|close|>response<|sep|>",
    "openthinker": "<|begin_of_thought|>hm secret<|end_of_thought|>\n\n"
    f"<|begin_of_solution|>{ANSWER}<|end_of_solution|>",
    "command": f"<|START_THINKING|>hm secret<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    "apertus": f"<|inner_prefix|>hm secret<|inner_suffix|>{ANSWER}",
    "gemma 4": f"<|channel>thought\nhm secret<channel|>{ANSWER}",
    "harmony": f"<|channel|>analysis<|message|>hm secret<|end|>{FINAL}{ANSWER}<|return|>",
    "harmony, no end": f"<|channel|>analysis<|message|>hm secret{FINAL}{ANSWER}",
    "harmony, commentary": "<|channel|>analysis<|message|>hm<|end|>"
    f"<|start|>assistant<|channel|>commentary<|message|>secret<|end|>{FINAL}{ANSWER}",
    "harmony, final alone": f"<|channel|>final<|message|>{ANSWER}",
    "harmony, closing alone": f"hm secret<|end|>{FINAL}{ANSWER}",
    "harmony, tokens lost": f"analysisThe user asks for a secret.assistantfinal{ANSWER}",
    "granite": f"Here is my thought process:\nhm secret\nHere is my response:\n{ANSWER}",
    "hunyuan": f"<think>\nhm secret\n</think>\n<answer>\n{ANSWER}\n</answer>",
    "closing alone": f"The user asks. I should say a secret.\n</think>\n\n{ANSWER}",
    "closing alone, glued": f"hm secret</think>{ANSWER}",
    "closing alone, amid a line": f"I say the secret. </think> {ANSWER}",
    "closing alone, no full stop": f"so the secret is 3.4 </think>\n\n{ANSWER}",
    "closing alone, twice": f"hm secret</think>\n</think>\n\n{ANSWER}",
    "closing alone, at once": f"</think>\n\n{ANSWER}",
    "closing alone, code in it": f"```\nsecret\n```\nso.\n</think>\n{ANSWER}",
    "the message's end": f"{ANSWER}<|im_end|>\n",
}

WHOLE = [
    "<details>\n<summary>Sources</summary>\nThe tide table.\n</details>\n\nThe tide rose.",
    "The old price was <s>10</s>, and the new one is 8.",
    "<analysis> is a tag that some prompts want.",
    "Write `<think>` before and `</think>` after the plan; both are plain text here.",
    "Use <think>x</think> tags.",
    "Put <think> before and </think> after the plan.",
    "The closing tag is </think>\nand it stands alone.",
    "A plan ends with </think>",
    'Write "</think>" at its end.',
    "Write **</think>** at its end.",
    "```\n<think>a\n</think>\n```\nis how it looks.",
    "~~~xml\n</think>\n~~~\nis how it ends.",
    "First.\n<think> before and </think> after.",
    "First.\n<think> is a tag that nothing closes here.",
    "`<|channel|>analysis<|message|>` begins the analysis.",
    "analysis of the tides",
    "analysisThe is no word.",
    "<thing> is a tag",
    "<thi",
    "a < b\n< c",
    "a  b\n\n c",
    "Here is my thought process: I look at the sources.",
    "x <|end|> y",
    "<|channel|>commentary to=functions.web_search<|message|>{}<|call|>",
]

pieces = st.lists(
    st.sampled_from(
        [
            *("<think>", "</think>", "<th", "ink>", "<", "/think>", "[THINK]", "[/THINK]", "◁think▷", "◁/think▷"),
            *(
                "<|channel|>",
                "analysis",
                "final",
                "<|message|>",
                "<|end|>",
                "<|start|>assistant",
                "<|channel>thought\n",
            ),
            *(
                "<channel|>",
                "<answer>",
                "</answer>",
                "assistantfinal",
                "The",
                "Here is my thought process:",
                "<|return|>",
            ),
            *(" ", "\n", "word", "word. ", "<b>", "`", "```\n", '"', "*", "tag ", "<tool_call>", "|>", "<|"),
        ]
    )
    | st.text(max_size=3)
)


def streamed(deltas, **options):
    stream = ReasoningFilter(**options)
    return "".join([*(stream.feed(delta) for delta in deltas), stream.close()])


@pytest.mark.parametrize("leak", LEAKS)
def test_leaked_reasoning_is_no_part_of_the_answer(leak):
    assert strip_reasoning(LEAKS[leak]) == ANSWER
    assert streamed(LEAKS[leak]) == ANSWER


@pytest.mark.parametrize("text", WHOLE)
@pytest.mark.parametrize("begins_inside", [True, False])
def test_a_text_that_only_writes_about_tags_stays_whole(text, begins_inside):
    assert strip_reasoning(text, begins_inside=begins_inside) == text
    assert streamed(text, begins_inside=begins_inside) == text


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("", ""),
        ("  \n", ""),
        (" The answer. \n", "The answer."),
        ("<think>never closed", ""),
        ("<think>a</think>", ""),
        ("only reasoning.</think>", ""),
        ("First.\n<think>more</think>\nSecond.", "First.\nSecond."),
        ("First.\n\n<thinking>\nmore\n</thinking>\n\nSecond.", "First.\n\n\nSecond."),
        ("<think>hm\n<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>"),
        (
            "<|channel|>analysis<|message|>hm<|end|><|channel|>commentary to=functions.f<|message|>{}",
            "<|channel|>commentary to=functions.f<|message|>{}",
        ),
    ],
)
def test_what_is_the_answer(content, answer):
    assert strip_reasoning(content) == answer


@given(texts=pieces, begins_inside=st.booleans(), data=st.data())
@example(texts=["<think>a</think> <think>b</think>\n\nword \n"], begins_inside=True, data=None)
@example(texts=["◁/think▷", "word<|end|>", "\n", "<|", "return|>"], begins_inside=True, data=None)
def test_every_way_of_cutting_says_the_same(texts, begins_inside, data):
    text = "".join(texts)
    whole = strip_reasoning(text, begins_inside=begins_inside)
    assert streamed(texts, begins_inside=begins_inside) == streamed(text, begins_inside=begins_inside) == whole
    if data is not None:
        cut = data.draw(st.integers(0, len(text)))
        assert streamed([text[:cut], text[cut:]], begins_inside=begins_inside) == whole


@given(pieces)
def test_no_end_of_reasoning_is_overlooked(texts):
    text = "".join(texts)
    assert (find_closing(text) is None) == (CLOSES_ALONE.search(text) is None)


@given(pieces)
@example(texts=["0\x1f"])  # white space to `str.strip` alone, not to Unicode
def test_an_answer_has_no_white_space_at_its_ends_and_no_reasoning_in_front(texts):
    answer = strip_reasoning("".join(texts))
    assert not regex.search(r"\A\s|\s\Z", answer)
    assert not answer.startswith(("<think>", "</think>", "[THINK]", "◁think▷", "<|channel>thought"))


@given(st.text())
def test_a_text_without_reasoning_stands_as_it_is(text):
    assert strip_reasoning(f"x{text}y") == f"x{text}y"


def test_what_is_certain_is_passed_on_at_once():
    stream = ReasoningFilter()
    deltas = ("<th", "ink>a</think> ", "The", " ", "answer", "\n")
    assert [stream.feed(delta) for delta in deltas] == ["", "", "The", "", " answer", ""]
    assert stream.close() == ""


def test_a_text_that_cannot_begin_inside_is_passed_on_at_once():
    stream = ReasoningFilter(begins_inside=False)
    assert [stream.feed(delta) for delta in (" The", " tide", " rose.\n", "<th", "ing> was")] == [
        "The",
        " tide",
        " rose.",
        "",
        "\n<thing> was",
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "mark", ["<think>", "</think>", "\n<think>", "`</think>", " ", "\n[", "analysisThe", "<|end|>", "x"]
)
def test_a_long_text_costs_no_time(mark):
    text = mark * (50_000 // len(mark))
    for begins_inside in (True, False):
        streamed((text[place : place + 16] for place in range(0, len(text), 16)), begins_inside=begins_inside)


@given(st.text(min_size=1) | st.sampled_from("<[◁>aAH\u200b\u3000\x1f").flatmap(lambda char: st.just(char + "x")))
def test_no_mark_is_passed_over_for_its_first_character(text):
    may_be = any(pattern.match(text, partial=True) for pattern in BEGINNINGS)
    assert begins_with_mark(text) or not may_be
