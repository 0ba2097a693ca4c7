"""The drawn graph is the graph: in the README, and in what the nodes say they go to."""

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
from langgraph.types import Command

from fusion_tool import build_graph
from fusion_tool.config.schema import FusionConfig

ROOT = Path(__file__).parents[2]
NODES = ("route", "fan_out", "panelist", "judge", "synthesize", "ground")


@pytest.fixture(scope="module")
def drawing():
    return build_graph().get_graph()


def goes_to(node):
    """The targets in a node's `Command[Literal[...]]`, none where it returns state."""
    returned = get_type_hints(getattr(import_module(f"fusion_tool.graph.nodes.{node}"), node))["return"]
    if get_origin(returned) is not Command:
        return set()
    (targets,) = get_args(returned)
    return set(get_args(targets))


@pytest.mark.parametrize("page", ["README.md", "docs/studio.md"])
def test_a_page_shows_this_drawing(drawing, page):
    blocks = re.findall(r"^```mermaid\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert [block.strip() for block in blocks] == [drawing.draw_mermaid().strip()]


def test_the_nodes_are_those_of_the_contract(drawing):
    assert set(drawing.nodes) == {"__start__", *NODES, "__end__"}


def test_the_way_through_is_drawn(drawing):
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    way = ["__start__", *NODES, "__end__"]
    assert set(pairwise(way)) <= edges


@pytest.mark.parametrize("node", NODES)
def test_a_nodes_commands_are_its_drawn_edges(drawing, node):
    drawn = {edge.target for edge in drawing.edges if edge.source == node and edge.conditional}
    assert drawn == goes_to(node)


def test_it_has_a_name_and_the_configuration_as_its_context():
    graph = build_graph()
    assert graph.get_name() == "fusion"
    assert issubclass(graph.context_schema, FusionConfig)


def test_it_is_asynchronous_only():
    with pytest.raises(TypeError, match="sync"):
        build_graph().invoke({"question": "When?"}, context=FusionConfig(panel=["x:m"]))
