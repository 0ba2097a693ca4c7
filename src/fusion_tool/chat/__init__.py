"""What `ChatFusion` is made of: from messages to a question, and from a run's events to messages."""
