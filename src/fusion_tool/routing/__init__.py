"""Which models answer a question, and how: pure, explainable, nothing is asked of anybody."""
