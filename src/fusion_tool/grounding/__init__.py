"""Grounding: citations become numbers, and each cited sentence is held against its source."""
