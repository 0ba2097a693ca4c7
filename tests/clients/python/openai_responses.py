"""Ask for responses with OpenAI's client: the base URL; print what each way of asking gives."""

import json
import sys

from openai import OpenAI
from pydantic import BaseModel

QUESTION = "When was the Alder mill built?"


class Mill(BaseModel):
    """A mill."""

    built: int


client = OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0)
created = client.responses.create(model="fusion", input=QUESTION, instructions="Be brief.")
with client.responses.stream(model="fusion", input=QUESTION) as stream:
    deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    streamed = stream.get_final_response()
# The next turn, with the output sent back as it came.
history = [{"role": "user", "content": QUESTION}, *created.output, {"role": "user", "content": "By whom?"}]
followed = client.responses.create(model="fusion", input=history)
parsed = client.responses.parse(model="fusion-agent", input=QUESTION, text_format=Mill)
report = {
    "text": created.output_text,
    "annotations": [annotation.to_dict() for annotation in created.output[0].content[0].annotations],
    "usage": created.usage.to_dict(),
    "deltas": deltas,
    "streamed": streamed.output_text,
    "streamed_annotations": len(streamed.output[0].content[0].annotations),
    "followed": followed.output_text,
    "parsed": parsed.output_parsed.model_dump(),
}
print(json.dumps(report))
