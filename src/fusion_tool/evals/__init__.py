"""Evaluation: is a panel worth its price on one's own questions? Tasks, blind grading, scores with honest intervals."""
