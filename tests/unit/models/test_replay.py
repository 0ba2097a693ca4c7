"""What a message keeps for the endpoint that gave it: joined whichever way a stream cut it, and for nobody else."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks

from fusion_tool.models import replay
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.models.prompt import prompt_bytes

WORDS = st.lists(st.text(max_size=5), min_size=1, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["index", "id", "text"]), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["reasoning", "reasoning_content", "reasoning_details"])
DELTAS = st.lists(st.dictionaries(FIELDS, JSON), min_size=1, max_size=4)


def kept(*deltas):
    chunks = []
    for delta in deltas:
        chunks.append(AIMessageChunk(""))
        replay.keep_fields(chunks[-1], delta, "here")
    return add_ai_message_chunks(*chunks)


def test_an_address_or_a_model_of_another_name_is_another_endpoint():
    here, there, other = (
        OpenAICompatibleChat(model=model, base_url=url, api_key="k")
        for model, url in (("a", "http://u:secret@one/v1"), ("a", "http://two/v1"), ("b", "http://u:secret@one/v1"))
    )
    said = {"role": "assistant", "content": "x", "reasoning": "Hm."}
    reply = here.read_reply({"choices": [{"message": said, "finish_reason": "stop"}]}).generations[0].message
    assert "secret" not in str(reply.additional_kwargs)
    sent = [one._get_request_payload([reply])["messages"] for one in (here, there, other)]
    assert sent == [[said], *[[{"role": "assistant", "content": "x"}]] * 2]


def test_what_goes_back_counts_as_a_part_of_the_prompt():
    bare, thoughtful = AIMessage("x"), AIMessage("x")
    replay.keep_fields(thoughtful, {"reasoning_details": [{"data": "A" * 1000}]}, "here")
    assert prompt_bytes([HumanMessage("?"), thoughtful]) - prompt_bytes([HumanMessage("?"), bare]) > 1000


@given(WORDS, WORDS)
def test_a_stream_may_cut_a_detail_anywhere(thoughts, summaries):
    """Interleaved by index, and each piece with the fields that do not grow."""
    pieces = [{"type": "reasoning.text", "index": 0, "format": "x", "id": "a", "text": text} for text in thoughts]
    pieces += [{"type": "reasoning.summary", "index": 1, "summary": text} for text in summaries]
    pieces.sort(key=lambda piece: len(piece.get("text", "") + piece.get("summary", "")))
    joined = replay.fields_to_return(kept(*({"reasoning_details": [piece]} for piece in pieces)))["reasoning_details"]
    by_index = {detail["index"]: detail for detail in joined}
    texts = "".join(piece["text"] for piece in pieces if "text" in piece)
    assert by_index[0] == {"type": "reasoning.text", "index": 0, "format": "x", "id": "a", "text": texts}
    assert by_index[1]["summary"] == "".join(piece["summary"] for piece in pieces if "summary" in piece)
    assert len(joined) == 2


@given(DELTAS)
def test_no_shape_of_it_costs_a_reply(deltas):
    message = kept(*deltas)
    replay.put_back({"role": "assistant"}, message, "here")
    assert replay.fields_to_return(message, "elsewhere") == {}
    assert isinstance(replay.has_token(message), bool)


@given(st.dictionaries(FIELDS, JSON))
def test_what_came_whole_goes_back_untouched(said):
    sent = {}
    replay.put_back(sent, kept(said), "here")
    assert sent == {name: value for name, value in said.items() if value is not None}
