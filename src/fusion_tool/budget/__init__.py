"""What a run may spend, has spent, and is expected to spend."""
