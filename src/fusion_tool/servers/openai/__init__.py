"""The OpenAI-compatible server's protocol: chat completions, models, errors, metrics."""
