"""`python -m fusion_tool` is `fusion-tool`."""

from fusion_tool.cli.main import run

run()
