"""Ask for a chat completion with OpenAI's client: the base URL, then `stream`; print its text and its annotations."""

import json
import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="unused")
messages = [{"role": "user", "content": "When was the Alder mill built?"}]
text, annotations = "", []
if sys.argv[2:] == ["stream"]:
    for chunk in client.chat.completions.create(model="fusion", messages=messages, stream=True):
        text += chunk.choices[0].delta.content or ""
        annotations += getattr(chunk.choices[0].delta, "annotations", None) or []
else:
    message = client.chat.completions.create(model="fusion", messages=messages).choices[0].message
    text, annotations = message.content, [annotation.model_dump() for annotation in message.annotations]
print(json.dumps({"text": text, "annotations": annotations}))
