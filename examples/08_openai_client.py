"""The panel behind an OpenAI-compatible server, from OpenAI's client: models, a streamed answer, what stands beside.

Run, in one terminal: fusion-tool serve --preset budget   (needs OPENROUTER_API_KEY)
In another one:       python examples/08_openai_client.py [BASE_URL]
"""

import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/v1", api_key="unused")

print("models:", ", ".join(model.id for model in client.models.list()))
stream = client.chat.completions.create(
    model="fusion",
    messages=[
        {"role": "system", "content": "Answer in two sentences."},
        {"role": "user", "content": "Is HTTP/3 faster than HTTP/2 on a good network, by published measurements?"},
    ],
    stream=True,
    extra_body={"fusion": {"limits": {"usd": 0.50, "seconds": 90}, "excluded_domains": ["example.org"]}},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if beside := (chunk.model_extra or {}).get("fusion"):
        print(f"\n{beside['status']}; citations: {[one['url'] for one in beside['citations']]}")
