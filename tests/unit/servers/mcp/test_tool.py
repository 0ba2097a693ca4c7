"""The tool's texts for callers."""

import pytest

from fusion_tool.errors import BudgetExceeded, ConfigError
from fusion_tool.servers.mcp.tool import to_callers_words


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BudgetExceeded("usd", 0.2, 0.1), str(BudgetExceeded("usd", 0.2, 0.1)).replace("limits.usd", "max_usd")),
        (ConfigError("at most 9 is allowed here", field="limits.seconds"), "max_seconds: at most 9 is allowed here"),
        (ConfigError("no such run", field="resume"), "run_id: no such run"),
        (
            ConfigError("'x' has no known price, so limits.usd cannot be kept", field="panel.0.model"),
            "panel.0.model: 'x' has no known price, so max_usd cannot be kept",
        ),
        (ConfigError("the words limits.usd and session_limits.usd: kept", field="a"), None),
    ],
)
def test_errors_name_the_arguments_of_which_settings_are_made(error, line):
    assert to_callers_words(str(error)) == (line or str(error))
