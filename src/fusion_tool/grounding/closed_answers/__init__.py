"""Closed answers: where a text states its answer, and a normal form in which equal answers are equal."""
