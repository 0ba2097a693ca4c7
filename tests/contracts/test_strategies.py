"""The table of strategies against what a user may choose."""

from typing import get_args

from fusion_tool.config.choices import PlannedStrategy, Strategy
from fusion_tool.graph.strategies import STRATEGIES, strategy_named


def test_the_table_holds_every_strategy_that_can_be_chosen_and_no_other():
    assert set(STRATEGIES) == set(get_args(PlannedStrategy)) == set(get_args(Strategy)) - {"auto"}
    assert [strategy.name for strategy in STRATEGIES.values()] == list(STRATEGIES)
    assert strategy_named("auto") is STRATEGIES["panel"]
