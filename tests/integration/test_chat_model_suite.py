"""`ChatFusion` as LangChain's own test suite sees every chat model.

Switched off is what a panel is not: it calls no tools, its model cannot be named in a call, and it reads text alone.
"""

from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from fusion_tool import ChatFusion
from fusion_tool.testing import fake_config
from tests.integration.panel import panel

JOKE = '{"setup": "Why do cats sit on keyboards?", "punchline": "To keep an eye on the mouse."}'


def tells(prompt: list[BaseMessage]) -> str:
    """JSON where the prompt has a schema, else prose."""
    return JOKE if "JSON object of this schema" in str(prompt) else "Hello to you."


@pytest.fixture
def benchmark():
    """Runs once what the suite would measure, as the plugin does beside xdist."""
    return lambda function: function()


@pytest.fixture
def snapshot():
    """Nothing: who names it skips a model that is not serializable."""


@pytest.fixture
def vcr():
    """Nothing: who names it skips a model without recorded calls."""


class _Suite:
    @property
    def chat_model_class(self) -> type[ChatFusion]:
        return ChatFusion

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def has_tool_choice(self) -> bool:
        return False

    @property
    def supports_model_override(self) -> bool:
        return False


class TestUnit(_Suite, ChatModelUnitTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return dict(panel("test/one"))

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Keys and retries are each model's own."""
        return {"temperature": 0, "max_tokens": 100, "timeout": 60, "stop": []}

    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch):
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-scripted-0000")


class TestIntegration(_Suite, ChatModelIntegrationTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return dict(fake_config("Hello.", "Good day.", answer=tells))

    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch):
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-scripted-0000")
