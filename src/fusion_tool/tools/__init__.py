"""What the seats can use: search, pages, documents, a sandboxed shell; and what these are made of."""
