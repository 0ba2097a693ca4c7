"""What a configuration may use: what stays here, what is banned, who reads the documents."""
