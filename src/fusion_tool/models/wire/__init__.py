"""Where a provider's reply becomes ours: tool calls, leaked reasoning, errors and streams, as they really come."""
