"""Exports `run` and `probe`."""

from fusion_tool.tools.sandbox.shell import probe, run

__all__ = ["probe", "run"]
