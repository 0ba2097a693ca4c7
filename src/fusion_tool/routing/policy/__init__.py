"""Policy: which models a configuration may use, what stays on this machine, who may read the documents."""
