"""The graph's nodes, one a file; none knows another."""
