"""The ways of asking for a structured reply."""

import pytest
from langchain_core.language_models import FakeListChatModel

from fusion_tool.models.structured import ways_of_asking

WANTED = {"type": "object", "properties": {}}


class Binds(FakeListChatModel):
    def bind_tools(self, tools, **kwargs):
        return self.bind(tools=tools, **kwargs)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"schema_taken": True, "tools": True}, 3),
        ({"schema_taken": None, "tools": True}, 3),
        ({"schema_taken": False, "tools": True}, 2),
        ({"schema_taken": None, "tools": False}, 2),
        ({"schema_taken": False, "tools": False}, 1),
    ],
)
def test_the_ways_of_asking_end_with_prose(options, count):
    model = Binds(responses=["x"])
    ways = ways_of_asking(model, "report", WANTED, **options)
    assert len(ways) == count
    assert ways[-1] is model
    if options["schema_taken"] is not False:
        asked = ways[0].kwargs["response_format"]["json_schema"]
        assert asked == {"name": "report", "strict": True, "schema": WANTED}
