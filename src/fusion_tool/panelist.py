"""`Panelist`: one model in one role."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.validation import Settings

_PREFIXES = frozenset({"openai", "openrouter", "ollama", "local", "vllm", "litellm", "llamacpp"})
"""What may stand before a colon in the name of a model at a `base_url` and is not part of the name."""


class Panelist(Settings):
    """One model in one role: a seat of the panel, the judge, or the synthesizer.

    Args:
        model: `"provider:model"`, or any LangChain `BaseChatModel` instance.
        seat: The label under which the result lists it; by default the model's short name.
        temperature: Sampling temperature; `None` leaves the provider's default.
        seed: Sampling seed, where the provider takes one.
        reasoning: Reasoning effort, for OpenAI and OpenRouter models.
        max_tokens: Upper bound of the answer, in tokens.
        max_input_tokens: The model's context window, in tokens, where its profile does not say.
        base_url: An OpenAI-compatible endpoint (vLLM, llama.cpp, LiteLLM, ...).
        api_key_env: The environment variable that holds this endpoint's key.
        fallbacks: Models asked in order when this one gives no usable answer.
    """

    model: Annotated[Any, WithJsonSchema({"type": "string"})]
    seat: str | None = Field(default=None, min_length=1, max_length=64)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    reasoning: Literal["minimal", "low", "medium", "high"] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_input_tokens: int | None = Field(default=None, ge=64)
    base_url: str | None = None
    api_key_env: str | None = None
    fallbacks: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _model_alone(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, cls)) else {"model": value}

    @field_validator("model")
    @classmethod
    def _model_is_named_or_given(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ConfigError("a model is 'provider:model', for example 'openrouter:openai/gpt-5.5'")
        if not isinstance(value, str) and not hasattr(value, "ainvoke"):
            raise ConfigError(f"expected 'provider:model' or a BaseChatModel, got {type(value).__name__}")
        if getattr(value, "_llm_type", None) == "fusion":  # bound ones forward it
            raise RecursionRefused("a ChatFusion is a panel itself; give this role another model")
        return value

    @field_validator("base_url")
    @classmethod
    def _plain_http(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("expected an http(s) URL such as http://localhost:8000/v1")
        if parts.username or parts.password:
            raise ConfigError("a URL must not carry a password; put the key into a variable named by api_key_env")
        return value

    @model_validator(mode="after")
    def _provider_or_endpoint(self) -> "Panelist":
        if isinstance(self.model, str) and ":" not in self.model and self.base_url is None:
            raise ConfigError(f"'{self.model}' names no provider; write 'openrouter:{self.model}', say", field="model")
        return self

    @property
    def model_name(self) -> str:
        """The model as configured, or an instance's own name for itself."""
        if isinstance(self.model, str):
            return self.model
        own = getattr(self.model, "model_name", None) or getattr(self.model, "model", None)
        return str(own or type(self.model).__name__)

    @property
    def served_name(self) -> str:
        """The model's name at its endpoint: without the provider; Ollama's `qwen3:8b` at a `base_url` is whole."""
        provider, _, name = self.model_name.partition(":")
        has_tag = self.base_url is not None and "/" not in name and provider not in _PREFIXES
        return self.model_name if has_tag or not name else name

    @property
    def short_name(self) -> str:
        """The served name without its vendor."""
        return self.served_name.rsplit("/", 1)[-1]
