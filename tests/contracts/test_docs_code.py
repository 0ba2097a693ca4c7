"""What the pages show to be run is run: Python against a scripted provider, commands, files."""

import ast
import asyncio
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from typer.main import get_command

from fusion_tool.cli.main import app
from fusion_tool.config import FusionConfig
from fusion_tool.routing.privacy import load_patterns
from fusion_tool.routing.profiles import load_profiles
from fusion_tool.settings import load_file
from tests.contracts.pages.markdown import PAGES, Block, blocks, inline

NOT_RUN: dict[str, str] = {}
"""Python blocks that are compiled alone: a line that each begins with, and why."""

FILES = {"routing.md": "profiles.toml"}
"""What a page's TOML is called that does not say so itself; others are a `fusion.toml`."""

STAND_INS = {"vendor/model": "openai/gpt-5.5", "provider:model": "openai:gpt-5.5"}
"""Placeholders in files, and what can stand there."""

ANALYSIS = {
    "consensus": ["It is Titan."],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


def pages(*languages):
    found = {block.page for language in languages for block in blocks(language)}
    return pytest.mark.parametrize("page", sorted(found))


def of(page: str, *languages: str) -> list[Block]:
    return [block for language in languages for block in blocks(language) if block.page == page]
