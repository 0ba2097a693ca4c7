"""Graders: one module a way of grading."""
