"""Models that are files on this machine: which there are, how they are installed, and the server that runs them."""
