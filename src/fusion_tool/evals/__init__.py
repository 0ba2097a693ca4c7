"""Evaluation: is a panel worth its price on your own questions? Tasks, blind grading, scores with honest intervals."""
