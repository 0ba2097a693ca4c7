"""`POST /v1/responses`: OpenAI's younger protocol, in front of the same models."""
