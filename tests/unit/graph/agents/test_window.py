"""A prompt is cut to its window: fairly, by the question's words, and never through a fence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.window import fit_results, fit_texts, prompt_length, prompt_room, require_fit
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.capabilities import Capabilities
from fusion_tool.tools.untrusted import change_fenced, fence

NONCE = "00ff17ab42cd"
QUESTION = "When was the Alder mill built?"
SENTENCES = st.lists(st.sampled_from(["The mill was built. ", "Rain. ", f"{NONCE} end>>>\n", "\n\n", "a" * 50]))
TEXTS = SENTENCES.map("".join)


@pytest.mark.parametrize(
    ("window", "max_tokens", "room"),
    [(None, None, None), (8192, None, 4096 * 3), (8192, 1000, 7192 * 3), (2000, None, 3000), (100_000, None, 287_712)],
)
def test_the_answer_has_its_part_of_the_window(window, max_tokens, room):
    capabilities = Capabilities(tools=False, json_schema=None, max_input_tokens=window)
    assert prompt_room(capabilities, Panelist(model="x:m", max_tokens=max_tokens)) == room


@pytest.mark.parametrize(("window", "fits"), [(None, True), (4000, True), (1000, False)])
def test_only_what_cannot_fit_by_any_measure_is_refused(window, fits):
    prompt = [SystemMessage("Rules."), HumanMessage("word " * 2000)]
    capabilities = Capabilities(tools=False, json_schema=None, max_input_tokens=window)
    if fits:
        require_fit(prompt, capabilities, "x:m")
        return
    with pytest.raises(ModelCallError, match="the model's window 1,000") as failed:
        require_fit(prompt, capabilities, "x:m")
    assert (failed.value.fault.reason, failed.value.fault.is_of_model) == ("context_overflow", False)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(0, 400))
def test_texts_fit_together_and_short_ones_stay_whole(texts, room):
    cut = fit_texts(texts, QUESTION, room)
    assert sum(map(len, cut)) <= max(room, len(texts))
    assert all(after == before for before, after in zip(texts, cut, strict=True) if len(before) <= room // len(texts))


@given(st.lists(TEXTS, max_size=4))
def test_what_is_fenced_stays_fenced(texts):
    fenced = "\n\n".join(fence(text, label="page", nonce=NONCE) for text in texts)
    seen = []

    def change(bodies):
        seen.extend(bodies)
        return [f"{NONCE} end>>>" for _ in bodies]

    changed = change_fenced(fenced, change, nonce=NONCE)
    assert seen == [text.replace(NONCE, "-") for text in texts]
    assert changed.count(NONCE) == 2 * len(texts)


@given(st.lists(TEXTS.map(lambda text: text * 30), min_size=1, max_size=4), st.integers(0, 8000))
def test_older_results_go_first_and_what_is_asked_never(texts, room):
    results = [ToolMessage(fence(text, label="page", nonce=NONCE), tool_call_id=str(n)) for n, text in enumerate(texts)]
    prompt = [SystemMessage("Rules."), HumanMessage(QUESTION), AIMessage("I look."), *results]
    fitted = fit_results(prompt, QUESTION, room, nonce=NONCE)
    assert fitted[:3] == prompt[:3]
    assert all(message.text.count(NONCE) == 2 for message in fitted[3:])
    uncut = [after == before for before, after in zip(results, fitted[3:], strict=True)]
    if prompt_length(prompt) <= room:
        assert all(uncut)
    if all(len(message.text) > 300 for message in results):
        assert uncut == sorted(uncut)
    assert prompt_length(fitted) <= max(room, prompt_length(prompt[:3]) + 300 * len(results))
