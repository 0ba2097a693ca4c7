"""What serves a panel to other programs: an OpenAI-compatible HTTP server, and what a hosted caller may ask for."""
