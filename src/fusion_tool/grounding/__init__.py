"""Checks of answers without a model: citations against sources, closed answers against each other."""
