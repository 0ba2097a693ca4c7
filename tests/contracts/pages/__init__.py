"""The Markdown pages: their code blocks, and the parts of them that are made from the source."""
