"""A panel of your own: models, labels, fallbacks, a judge and a synthesizer, here with a cheap cascade in front.

Run: python examples/03_custom_panel.py   (needs OPENROUTER_API_KEY)
"""

from fusion_tool import FusionConfig, Panelist, fuse

config = FusionConfig(
    panel=(
        Panelist(model="openrouter:openai/gpt-5-mini", seat="quick", fallbacks=("openrouter:z-ai/glm-5",)),
        Panelist(model="openrouter:deepseek/deepseek-v4-pro", seat="second", temperature=0.2),
        Panelist(model="openrouter:anthropic/claude-opus-4.8", seat="strong"),
    ),
    judge="openrouter:openai/gpt-5.5",
    synthesizer="openrouter:anthropic/claude-opus-4.8",
    strategy="cascade",  # the first two answer; the third is asked only where they disagree
    max_tool_calls=3,
    excluded_domains=("example.org",),
)

result = fuse("In which year did SQLite gain write-ahead logging?", config)

print(result.answer)
print(f"plan: {result.plan.reason}")
for response in result.responses:
    print(f"wave {response.wave}, {response.seat} ({response.model}): {response.content[:80]}")
