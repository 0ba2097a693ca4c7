"""The commands: their options alone. What a command needs is imported when it runs."""
