"""The classifier: signals of a question from its words and patterns, without a model."""
