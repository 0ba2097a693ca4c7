"""The user's documents: which files they are, their readers, and the index that the seats search."""
